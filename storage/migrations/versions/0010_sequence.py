"""Frames and readings say what they follow in time, and frames where their time comes from.

Of those from before it is not known, but for what a camera may still have in view: that goes on as the same passage.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_STRING = sa.String()
_SOURCES = sa.table("sources", sa.column("source_id", _STRING), sa.column("url", _STRING))
_PASSAGES = sa.table("passages", *(sa.column(name) for name in ("passage_id", "source_id", "final_at")))
_FRAMES = sa.table("frames", sa.column("frame_id", _STRING), sa.column("sequence", _STRING))
_READINGS = sa.table("readings", *(sa.column(name, _STRING) for name in ("frame_id", "passage_id", "sequence")))


def upgrade() -> None:
    op.add_column("frames", sa.Column("sequence", _STRING, nullable=True))
    op.add_column("frames", sa.Column("time_from", _STRING, nullable=True))
    op.add_column("readings", sa.Column("sequence", _STRING, nullable=True))
    cameras = sa.select(_SOURCES.c.source_id).where(_SOURCES.c.url.is_not(None))
    in_view = sa.select(_PASSAGES.c.passage_id).where(
        _PASSAGES.c.final_at.is_(None), _PASSAGES.c.source_id.in_(cameras)
    )
    op.execute(sa.update(_READINGS).where(_READINGS.c.passage_id.in_(in_view)).values(sequence="live"))
    frames = sa.select(_READINGS.c.frame_id).where(_READINGS.c.passage_id.in_(in_view))
    op.execute(sa.update(_FRAMES).where(_FRAMES.c.frame_id.in_(frames)).values(sequence="live"))


def downgrade() -> None:
    op.drop_column("readings", "sequence")
    op.drop_column("frames", "time_from")
    op.drop_column("frames", "sequence")

"""Passages know their sequence, whether their plate was read or composed, and where their vehicle was last.

Contests are gone: which vehicle a reading is of is decided for all passages now, not only for those that compete.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None

_STRING = sa.String()
_PASSAGES = sa.table("passages", sa.column("passage_id"), sa.column("sequence", _STRING), sa.column("final_at"))
_READINGS = sa.table("readings", sa.column("passage_id"), sa.column("sequence", _STRING))


def upgrade() -> None:
    op.add_column("passages", sa.Column("sequence", _STRING, nullable=True))
    op.add_column("passages", sa.Column("origin", _STRING, nullable=False, server_default="read"))
    op.add_column("passages", sa.Column("motion", sa.JSON(none_as_null=True), nullable=True))
    op.drop_index("ix_passages_contest", "passages")
    op.drop_column("passages", "contest")
    # What a camera has in view goes on as the same passage.
    in_view = sa.select(_READINGS.c.passage_id).where(_READINGS.c.sequence == "live")
    open_ones = sa.and_(_PASSAGES.c.final_at.is_(None), _PASSAGES.c.passage_id.in_(in_view))
    op.execute(sa.update(_PASSAGES).where(open_ones).values(sequence="live"))


def downgrade() -> None:
    op.add_column("passages", sa.Column("contest", _STRING, nullable=True))
    contested = sa.text("contest IS NOT NULL")
    op.create_index("ix_passages_contest", "passages", ["contest"], sqlite_where=contested, postgresql_where=contested)
    for name in ("motion", "origin", "sequence"):
        op.drop_column("passages", name)

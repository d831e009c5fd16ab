"""What is old goes: counts of what went, and where to find what is old."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INTEGER = sa.BigInteger()
_KEPT = sa.text("picture_kept")
_SENT = sa.text("sent_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "removed_rows",
        sa.Column("source_id", sa.String(), nullable=False),
        sa.Column("hour", _INTEGER, nullable=False),
        sa.Column("stored", _INTEGER, nullable=False),
        sa.Column("dead", _INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("source_id", "hour", name=op.f("pk_removed_rows")),
    )
    op.create_index("ix_frames_kept_stored_at", "frames", ["stored_at"], sqlite_where=_KEPT, postgresql_where=_KEPT)
    op.create_index("ix_deliveries_sent", "deliveries", ["sent_at"], sqlite_where=_SENT, postgresql_where=_SENT)


def downgrade() -> None:
    op.drop_index("ix_deliveries_sent", "deliveries")
    op.drop_index("ix_frames_kept_stored_at", "frames")
    op.drop_table("removed_rows")

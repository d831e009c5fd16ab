"""Jobs the API accepted, and what the ledger was last seen to hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STRING = sa.String()
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "accepted_jobs",
        sa.Column("job_id", _STRING, nullable=False),
        sa.Column("published_at", _TIME, nullable=False),
        sa.Column("job", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_accepted_jobs")),
    )
    op.create_table(
        "ledger_looks",
        sa.Column("source_id", _STRING, nullable=False),
        sa.Column("generation", _STRING, nullable=False),
        sa.Column("open_frames", sa.BigInteger(), nullable=False),
        sa.Column("lost_frames", sa.BigInteger(), nullable=False),
        sa.Column("lost_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_ledger_looks")),
    )


def downgrade() -> None:
    op.drop_table("ledger_looks")
    op.drop_table("accepted_jobs")

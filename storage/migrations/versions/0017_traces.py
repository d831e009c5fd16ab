"""Jobs name the trace that they belong to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("trace_id", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "trace_id")

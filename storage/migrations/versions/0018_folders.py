"""Cameras may be folders that photos are dropped into, and say what becomes of those that were read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sources", sa.Column("after_reading", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("sources", "after_reading")

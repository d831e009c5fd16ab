"""Cameras may have a smaller stream beside the one that is read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sources", sa.Column("sub_url", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("sources", "sub_url")

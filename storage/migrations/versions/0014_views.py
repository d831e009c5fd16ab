"""Cameras know how they hang, and which part of their picture is looked at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sources", sa.Column("rotation", sa.BigInteger(), nullable=True))
    op.add_column("sources", sa.Column("mask", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("sources", "mask")
    op.drop_column("sources", "rotation")

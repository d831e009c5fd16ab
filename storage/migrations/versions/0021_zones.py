"""Cameras have zones, and what is found says in which it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.database.online import add_column

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

ONLINE = True


def upgrade() -> None:
    add_column("sources", sa.Column("zones", sa.JSON(none_as_null=True), nullable=True))
    add_column("frames", sa.Column("outside", sa.BigInteger(), nullable=True))
    for table, column in _NAMES:
        add_column(table, sa.Column(column, sa.String(), nullable=True))


def downgrade() -> None:
    for table, column in _NAMES:
        op.drop_column(table, column)
    op.drop_column("frames", "outside")
    op.drop_column("sources", "zones")


_NAMES = (("detections", "zone"), ("readings", "zone"), ("passages", "zones"))

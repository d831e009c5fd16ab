"""Readings have alternatives for each character, and a likely country, as passages have."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.database.online import add_column, create_index

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ONLINE = True


def upgrade() -> None:
    add_column("readings", sa.Column("alternatives", sa.JSON(none_as_null=True), nullable=True))
    for table in ("readings", "passages"):
        add_column(table, sa.Column("country", sa.String(), nullable=True))
        add_column(table, sa.Column("country_confidence", sa.Double(), nullable=True))
    create_index("ix_passages_country_first_seen", "passages", ["country", "first_seen"])


def downgrade() -> None:
    op.drop_index(op.f("ix_passages_country_first_seen"), "passages")
    for table in ("passages", "readings"):
        op.drop_column(table, "country_confidence")
        op.drop_column(table, "country")
    op.drop_column("readings", "alternatives")

"""Sinks have options: a format, a picture, headers, filters, certificates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sinks", sa.Column("options", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("sinks", "options")

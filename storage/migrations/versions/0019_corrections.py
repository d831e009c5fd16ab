"""Passages may have a plate that somebody corrected, beside what was read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.database.online import add_column, create_index

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ONLINE = True

_IS_CORRECTED = sa.text("corrected_folded IS NOT NULL")


def upgrade() -> None:
    for name in ("corrected", "corrected_folded", "corrected_by"):
        add_column("passages", sa.Column(name, sa.String(), nullable=True))
    add_column("passages", sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=True))
    create_index("ix_passages_corrected", "passages", ["corrected_folded"], _IS_CORRECTED)


def downgrade() -> None:
    op.drop_index("ix_passages_corrected", "passages")
    for name in ("corrected_at", "corrected_by", "corrected_folded", "corrected"):
        op.drop_column("passages", name)

"""Passages may have a plate that somebody corrected, beside what was read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_IS_CORRECTED = sa.text("corrected_folded IS NOT NULL")


def upgrade() -> None:
    for name in ("corrected", "corrected_folded", "corrected_by"):
        op.add_column("passages", sa.Column(name, sa.String(), nullable=True))
    op.add_column("passages", sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_passages_corrected",
        "passages",
        ["corrected_folded"],
        sqlite_where=_IS_CORRECTED,
        postgresql_where=_IS_CORRECTED,
    )


def downgrade() -> None:
    op.drop_index("ix_passages_corrected", "passages")
    for name in ("corrected_at", "corrected_by", "corrected_folded", "corrected"):
        op.drop_column("passages", name)

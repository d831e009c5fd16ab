"""The database and the ledger know each other, and which of them came back as it was earlier."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.tables.times import UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_COUNTS = ("published_frames", "missing_frames", "missing_letters")


def upgrade() -> None:
    op.create_table(
        "agreements",
        sa.Column("one", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("installation_id", sa.String(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("proposed", sa.BigInteger(), nullable=False),
        sa.Column("agreed_at", sa.Double(), nullable=False),
        sa.Column("timeline", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_agreements")),
    )
    op.create_table(
        "store_breaks",
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("at", name=op.f("pk_store_breaks")),
    )
    for name in _COUNTS:
        op.add_column("ledger_looks", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    for name in reversed(_COUNTS):
        op.drop_column("ledger_looks", name)
    op.drop_table("store_breaks")
    op.drop_table("agreements")

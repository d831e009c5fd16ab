"""How many tokens a minute an API key may have read and answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("tokens_per_minute", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("api_keys", "tokens_per_minute")

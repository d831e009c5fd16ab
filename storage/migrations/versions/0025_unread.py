"""Why a line of text lacks what was not read of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("readings", sa.Column("unread", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("readings", "unread")

"""What was told last of the health of a camera."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sources", sa.Column("health", sa.String(), nullable=True))
    op.add_column("sources", sa.Column("health_since", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("sources", "health_since")
    op.drop_column("sources", "health")

"""A camera may have a lower limit of its rate; those from before have none, and keep their rate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_DOUBLE: sa.Double[float] = sa.Double()


def upgrade() -> None:
    op.add_column("sources", sa.Column("min_fps", _DOUBLE, nullable=True))


def downgrade() -> None:
    op.drop_column("sources", "min_fps")

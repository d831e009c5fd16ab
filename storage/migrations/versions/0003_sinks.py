"""Sinks, and when a passage is final."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STRING = sa.String()
_TIME = sa.DateTime(timezone=True)
_JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "sinks",
        sa.Column("sink_id", _STRING, nullable=False),
        sa.Column("kind", _STRING, nullable=False),
        sa.Column("url", _STRING, nullable=False),
        sa.Column("secret", _STRING, nullable=True),
        sa.Column("events", _JSON, nullable=False),
        sa.Column("sources", _JSON, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", _STRING, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("sent_count", sa.BigInteger(), nullable=False),
        sa.Column("last_error", _STRING, nullable=True),
        sa.PrimaryKeyConstraint("sink_id", name=op.f("pk_sinks")),
    )
    op.drop_index(op.f("ix_deliveries_next_attempt_at"), "deliveries")
    _partial_index("ix_deliveries_waiting", "deliveries", ["sink", "next_attempt_at"], "next_attempt_at IS NOT NULL")
    _partial_index("ix_deliveries_dead", "deliveries", ["sink"], "next_attempt_at IS NULL AND sent_at IS NULL")
    op.add_column("passages", sa.Column("final_at", _TIME, nullable=True))
    op.execute("UPDATE passages SET final_at = updated_at")  # nobody waits to hear of those
    _partial_index("ix_passages_open", "passages", ["passage_id"], "final_at IS NULL")


def downgrade() -> None:
    op.drop_index("ix_passages_open", "passages")
    op.drop_column("passages", "final_at")
    op.drop_index("ix_deliveries_dead", "deliveries")
    op.drop_index("ix_deliveries_waiting", "deliveries")
    op.create_index(op.f("ix_deliveries_next_attempt_at"), "deliveries", ["next_attempt_at"])
    op.drop_table("sinks")


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))

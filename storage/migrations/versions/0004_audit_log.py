"""Who searched and changed what; sessions of the page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STRING = sa.String()
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("entry_id", _STRING, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("actor", _STRING, nullable=False),
        sa.Column("key_id", _STRING, nullable=True),
        sa.Column("role", _STRING, nullable=True),
        sa.Column("address", _STRING, nullable=True),
        sa.Column("action", _STRING, nullable=False),
        sa.Column("target", _STRING, nullable=True),
        sa.Column("query", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("outcome", _STRING, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit_log")),
    )
    op.create_index(op.f("ix_audit_log_at_entry_id"), "audit_log", ["at", "entry_id"])
    op.create_index(op.f("ix_audit_log_actor_at"), "audit_log", ["actor", "at"])
    op.create_table(
        "page_sessions",
        sa.Column("session_sha256", _STRING, nullable=False),
        sa.Column("key_id", _STRING, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("session_sha256", name=op.f("pk_page_sessions")),
    )
    op.create_index(op.f("ix_page_sessions_expires_at"), "page_sessions", ["expires_at"])


def downgrade() -> None:
    op.drop_table("page_sessions")
    op.drop_table("audit_log")

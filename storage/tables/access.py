"""Who may do what, and who did."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base


class ApiKeys(Base):
    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[str]
    secret_sha256: Mapped[str]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    tokens_per_minute: Mapped[int | None]


class PageSessions(Base):
    """Who is logged in on the page. The browser holds a token of its own, not the key."""

    __tablename__ = "page_sessions"

    session_sha256: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    expires_at: Mapped[datetime]

    __table_args__ = (Index(None, "expires_at"),)


class AuditLog(Base):
    """Who searched and changed what. Rows are inserted and, when old, deleted; never updated."""

    __tablename__ = "audit_log"

    entry_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    key_id: Mapped[str | None]
    role: Mapped[str | None]
    address: Mapped[str | None]
    action: Mapped[str]
    target: Mapped[str | None]
    query: Mapped[dict[str, Any]]
    outcome: Mapped[str]

    __table_args__ = (Index(None, "at", "entry_id"), Index(None, "actor", "at"))

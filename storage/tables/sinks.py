"""Sinks, and the outbox of what they are sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base


class Sinks(Base):
    """Where results are pushed."""

    __tablename__ = "sinks"

    sink_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    url: Mapped[str]  #: may hold a password
    secret: Mapped[str | None]
    events: Mapped[list[Any]]
    sources: Mapped[list[Any]]  #: empty: all
    options: Mapped[dict[str, Any] | None]  #: may hold passwords
    enabled: Mapped[bool]
    disabled_reason: Mapped[str | None]
    created_at: Mapped[datetime]
    sent_count: Mapped[int]
    last_error: Mapped[str | None]  #: of the newest attempt; None if it succeeded


_WAITING = text("next_attempt_at IS NOT NULL")
_DEAD = text("next_attempt_at IS NULL AND sent_at IS NULL")
_SENT = text("sent_at IS NOT NULL")


class Deliveries(Base):
    """The outbox: what must leave the system, written in the transaction that caused it."""

    __tablename__ = "deliveries"

    delivery_id: Mapped[str] = mapped_column(primary_key=True)
    sink: Mapped[str]
    topic: Mapped[str]
    payload: Mapped[dict[str, Any]]
    attempts: Mapped[int]
    created_at: Mapped[datetime]  #: rows of one transaction are a microsecond apart, in their order
    next_attempt_at: Mapped[datetime | None]  #: None once sent or given up; the end of the lease while it is sent
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None]

    __table_args__ = (
        Index("ix_deliveries_waiting", "sink", "next_attempt_at", sqlite_where=_WAITING, postgresql_where=_WAITING),
        Index("ix_deliveries_dead", "sink", sqlite_where=_DEAD, postgresql_where=_DEAD),
        Index("ix_deliveries_sent", "sent_at", sqlite_where=_SENT, postgresql_where=_SENT),
    )

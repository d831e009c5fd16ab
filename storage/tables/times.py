"""Points in time as columns: UTC with zone on SQLite and PostgreSQL alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, Dialect, TypeDecorator
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine


def _as_text(value: datetime | None) -> str | None:
    return value and value.replace(tzinfo=None).isoformat(" ", "microseconds")


class _SqliteDateTime(sqlite.DATETIME):
    """The text that SQLAlchemy writes too, made by one call: it is in every row, and more than once."""

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002
        return _as_text


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time. Naive values are a bug; what comes back is always UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_SqliteDateTime() if dialect.name == "sqlite" else self.impl_instance)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value!r}")
        return to_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def to_utc(value: datetime) -> datetime:
    """The same instant in UTC. At the ends of the calendar, where UTC has no such year, the nearest time it has."""
    if value.tzinfo is UTC:
        return value
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return (datetime.min if value.year == 1 else datetime.max).replace(tzinfo=UTC)


def shift(time: datetime, by: timedelta) -> datetime:
    """This much later; at the ends of the calendar, the end."""
    try:
        return time + by
    except OverflowError:
        return (datetime.max if by > timedelta(0) else datetime.min).replace(tzinfo=UTC)

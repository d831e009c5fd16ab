"""Pages by key, not by offset: a page costs the same however deep it lies, and new rows shift nothing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from sightline.errors import BadMessageError
from sightline.types import Value
from storage.database.engine import Database

View = TypeVar("View")
MAX_LIMIT = 1000


class Page(Value, Generic[View]):
    """`next_cursor` leads to the next page; None on the last one."""

    items: tuple[View, ...]
    next_cursor: str | None = None


def read_page(
    database: Database,
    statement: sa.Select[Any],
    keys: Sequence[InstrumentedAttribute[Any]],
    view: Callable[[sa.RowMapping], View],
    *,
    limit: int,
    cursor: str | None,
    newer: bool = False,
) -> Page[View]:
    """The rows after `cursor`, largest key first. `keys` identify a row, the first one is a time; all are selected.

    With `newer` those next before it, in the same order.

    Raises:
        BadMessageError: `limit` is not in 1..1000, or `cursor` is none that was handed out for this list.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadMessageError(f"limit: {limit} is not in 1..{MAX_LIMIT}", field="limit")
    if cursor is not None:
        at, of_row = sa.tuple_(*_bind(keys, decode_cursor(cursor))), sa.tuple_(*keys)
        statement = statement.where(of_row > at if newer else of_row < at)
    statement = statement.order_by(*(key.asc() if newer else key.desc() for key in keys)).limit(limit + 1)
    with database.read() as connection:
        rows = connection.execute(statement).mappings().all()
    if newer:
        rows = rows[:limit][::-1]
        return Page(items=tuple(map(view, rows)), next_cursor=cursor_of(rows[-1], keys) if rows else None)
    last = rows[limit - 1] if len(rows) > limit else None
    next_cursor = cursor_of(last, keys) if last is not None else None
    return Page(items=tuple(view(row) for row in rows[:limit]), next_cursor=next_cursor)


def cursor_of(row: Mapping[Any, Any], keys: Sequence[InstrumentedAttribute[Any]]) -> str:
    return encode_cursor([row[key.key] for key in keys])


def check_range(since: datetime | None, until: datetime | None) -> None:
    """Raises BadMessageError naming the one that has no time zone, or that the range ends before it begins."""
    for name, time in (("since", since), ("until", until)):
        if time is not None and time.tzinfo is None:
            raise BadMessageError(f"{name}: {time.isoformat()} has no time zone", field=name)
    if since is not None and until is not None and until < since:
        raise BadMessageError(
            f"until: {until.isoformat()} is before since: {since.isoformat()}; nothing can be in between", field="until"
        )


def between(
    rows: sa.Select[Any], column: InstrumentedAttribute[datetime], since: datetime | None, until: datetime | None
) -> sa.Select[Any]:
    """The rows from `since` on and before `until`. Raises as `check_range` does."""
    check_range(since, until)
    if since is not None:
        rows = rows.where(column >= since)
    return rows if until is None else rows.where(column < until)


def encode_cursor(values: Sequence[datetime | str | int]) -> str:
    """An opaque text for a URL."""
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> list[datetime | str | int]:
    """The values of `encode_cursor`; the first is a time.

    Raises:
        BadMessageError: the text is no cursor.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        values: object = json.loads(raw)
        if isinstance(values, list) and values:
            first, *others = cast(list[object], values)
            time = datetime.fromisoformat(str(first))
            if time.tzinfo is not None and all(type(other) in (str, int) for other in others):
                return [time.astimezone(UTC), *cast(list[str | int], others)]
    except (binascii.Error, ValueError, OverflowError, RecursionError):
        pass
    raise bad_cursor()


def bad_cursor() -> BadMessageError:
    return BadMessageError("cursor: not a cursor of this list; leave it out to start anew", field="cursor")


def _bind(
    keys: Sequence[InstrumentedAttribute[Any]], values: Sequence[datetime | str | int]
) -> list[sa.ColumnElement[Any]]:
    if len(keys) != len(values) or any(
        not isinstance(value, key.type.python_type) for key, value in zip(keys, values, strict=True)
    ):
        raise bad_cursor()
    return [sa.literal(value, key.type) for key, value in zip(keys, values, strict=True)]

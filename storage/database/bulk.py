"""Rows into a table, many at once: what SQLAlchemy would work out for each row and statement is worked out once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from storage.tables import Base
from storage.tables.times import UtcDateTime

Row = dict[str, Any]

#: SQLite's limit of parameters in a statement, and half of PostgreSQL's.
_MAX_PARAMETERS: Final = 32_000
_NAMED: Final = re.compile(r"%\((\w+)\)s")


class _Insert(NamedTuple):
    """An INSERT as the driver takes it, its parameters by place. `columns`: each with what its values go through."""

    head: str  #: up to VALUES
    values: str  #: of one row
    columns: Sequence[tuple[str, Callable[[Any], Any] | None]]


def insert_rows(connection: sa.Connection, table: type[Base], rows: Sequence[Row], *, if_new: bool = False) -> None:
    """Insert rows of the same columns; `if_new`: those that the table has not."""
    if rows:
        insert = _insert(table, tuple(rows[0]), connection.dialect)
        ending = " ON CONFLICT DO NOTHING" if if_new else ""
        connection.exec_driver_sql(f"{insert.head} VALUES {insert.values}{ending}", _parameters(insert, rows))


def insert_new_rows(connection: sa.Connection, table: type[Base], rows: Sequence[Row], key: str) -> set[str]:
    """Insert rows of the same columns that the table has not. Returns the `key` of those."""
    if not rows:
        return set()
    insert = _insert(table, tuple(rows[0]), connection.dialect)
    most = _MAX_PARAMETERS // len(insert.columns)
    inserted: set[str] = set()
    for first in range(0, len(rows), most):
        page = _parameters(insert, rows[first : first + most])
        values = ", ".join([insert.values] * len(page))
        statement = f"{insert.head} VALUES {values} ON CONFLICT DO NOTHING RETURNING {key}"
        inserted.update(connection.exec_driver_sql(statement, tuple(chain.from_iterable(page))).scalars())
    return inserted


def _parameters(insert: _Insert, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    columns = (
        [row[name] for row in rows] if process is None else [process(row[name]) for row in rows]
        for name, process in insert.columns
    )
    return list(zip(*columns, strict=True))


@lru_cache(maxsize=64)
def _insert(table: type[Base], names: tuple[str, ...], dialect: sa.Dialect) -> _Insert:
    compiled: Any = sa.insert(table).compile(dialect=dialect, column_keys=list(names))
    head, _, values = str(compiled).partition(" VALUES ")
    placed: list[str] = compiled.positiontup or _NAMED.findall(values)
    columns = [(name, _process(table.__table__.columns[name].type, dialect)) for name in placed]
    return _Insert(head, _NAMED.sub("%s", values), columns)


def _process(kind: Any, dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    process = kind.dialect_impl(dialect).bind_processor(dialect)
    # The same time is in the rows of several tables, and in more than one place of each.
    return lru_cache(maxsize=1 << 12)(process) if isinstance(kind, UtcDateTime) else process

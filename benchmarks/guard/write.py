"""A group of jobs written to SQLite."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from benchmarks.guard.figures import Count, Figure, Ratio, Ready
from benchmarks.guard.jobs import make_message
from storage.database import Database, open_database, upgrade
from storage.store import Store

_JOBS, _FRAMES = 4, 8
_PLAIN_ROWS = 16
_PLAIN_COLUMNS = 12


@contextmanager
def write_figures(folder: Path) -> Generator[list[Figure]]:
    """The baseline is SQLAlchemy without thought, an INSERT a row: Python through and through, as ours is."""
    timed, counted = (_open(folder / name) for name in ("timed.sqlite3", "counted.sqlite3"))
    steps = _count_steps(counted.engine)
    plain = sa.create_engine(f"sqlite:///{folder / 'plain.sqlite3'}")
    columns = [sa.Column(f"c{place}", sa.String) for place in range(_PLAIN_COLUMNS)]
    table = sa.Table("plain", sa.MetaData(), *columns)
    table.create(plain)
    row = {column.name: "a text" for column in columns}

    def ours(database: Database) -> Ready:
        store = Store(database, passage_gap_s=10)

        def ready() -> Callable[[], Any]:
            group = [make_message(_FRAMES) for _ in range(_JOBS)]
            return lambda: store.store(group, kept=())

        return ready

    def bare() -> None:
        with plain.begin() as connection:
            for _ in range(_PLAIN_ROWS):
                connection.execute(sa.insert(table).values(row))

    what, where = f"a group of {_JOBS} jobs of {_FRAMES} frames", "storage/store.py and below"
    try:
        yield [
            Ratio("write", f"{what} to {_PLAIN_ROWS} single INSERTs", where, ours(timed), lambda: bare, pairs=15),
            Count("write steps", f"what SQLite does for {what}", where, ours(counted), steps),
        ]
    finally:
        timed.close()
        counted.close()
        plain.dispose()


def _open(file: Path) -> Database:
    upgrade(f"sqlite:///{file}")
    return open_database(f"sqlite:///{file}")


def _count_steps(engine: sa.Engine) -> Callable[[], int]:
    """Steps of SQLite's machine: more for a statement more, for a row more, most for an index less."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.set_progress_handler(step, 1)

    return lambda: steps

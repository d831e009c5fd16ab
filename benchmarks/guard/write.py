"""A group of jobs written to SQLite."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from benchmarks.guard.figures import Count, Figure, Ratio, Ready
from benchmarks.guard.jobs import make_message, make_photos
from sightline.settings import Settings
from sightline.wire.messages import Message
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import upgrade
from storage.items.writers import RowsOfPipelines
from storage.results.store import Store
from storage.tables import Base

_JOBS, _FRAMES = 2, 8
_PHOTOS = 2000  #: of one instant, as a folder of them has: what is one more among them
_PHOTOS_A_JOB = 50


@contextmanager
def write_figures(folder: Path) -> Generator[list[Figure]]:
    """The baseline inserts the same rows by SQLAlchemy into the same tables, with the same indexes and processors."""
    names = ("timed", "counted", "plain", "photos")
    timed, counted, plain, photos = databases = [_open(folder / f"{name}.sqlite3") for name in names]
    steps, steps_of_photo = _count_steps(counted.engine), _count_steps(photos.engine)
    rows = _rows_of_a_group(plain)

    def ours(database: Database) -> Ready:
        store = _store(database)

        def ready() -> Callable[[], Any]:
            group = _group()
            return lambda: store.store(group, kept=())

        return ready

    def bare() -> None:
        with plain.write() as connection:
            for table in reversed(rows):
                connection.execute(sa.delete(table))
            for table, found in rows.items():
                connection.execute(sa.insert(table), found)

    def photo() -> Callable[[], Any]:
        one = [make_photos(1)]
        return lambda: _store(photos).store(one, kept=())

    for _ in range(_PHOTOS // _PHOTOS_A_JOB):
        _store(photos).store([make_photos(_PHOTOS_A_JOB)], kept=())
    what, where = f"a group of {_JOBS} jobs of {_FRAMES} frames", "storage/results/store.py and below"
    try:
        yield [
            Ratio("write", f"{what} to INSERTs of its rows", where, ours(timed), lambda: bare, pairs=25),
            Count("write steps", f"what SQLite does for {what}", where, ours(counted), steps),
            Count(
                "photo steps",
                f"what SQLite does for a photo among {_PHOTOS} of its instant",
                where,
                photo,
                steps_of_photo,
            ),
        ]
    finally:
        for database in databases:
            database.close()


def _group() -> list[Message]:
    return [make_message(_FRAMES) for _ in range(_JOBS)]


def _store(database: Database) -> Store:
    return Store(database, RowsOfPipelines(Settings.model_validate({"passage_gap_s": 10, "parked_gap_s": 0})))


def _rows_of_a_group(database: Database) -> dict[sa.Table, list[dict[str, Any]]]:
    _store(database).store(_group(), kept=())
    with database.read() as connection:
        found = {table: connection.execute(sa.select(table)).mappings() for table in Base.metadata.sorted_tables}
        return {table: rows for table, mappings in found.items() if (rows := [dict(row) for row in mappings])}


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

"""The database dies or is locked; the frame store fails or is full."""

from __future__ import annotations

import errno
import os
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import FileIO
from pathlib import Path

from benchmarks.chaos.faults.fault import Lasting
from benchmarks.chaos.machine.system import TWICE_VISIBILITY_S, System


class _OfPostgres(Lasting):
    @classmethod
    def missing(cls, database: str) -> str:
        return "" if database == "postgresql" else "SQLite is no server; use --database postgresql"


class DatabaseKill(_OfPostgres):
    """kill -9 of PostgreSQL with all its processes, two seconds away, back by its own crash recovery."""

    name, repeats, lasts_s = "database-kill", False, 2.0

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:  # noqa: ARG002
        with system.killed(system.parts["postgres"]):
            yield


class DatabaseReadOnly(_OfPostgres):
    """PostgreSQL can be read and takes no row for twice the visibility time-out, as after a switch to a standby."""

    name, repeats, lasts_s = "database-read-only", False, TWICE_VISIBILITY_S

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:  # noqa: ARG002
        _let_write(system.settings.sqlalchemy_url, allowed=False)
        yield
        _let_write(system.settings.sqlalchemy_url, allowed=True)


class DatabaseLocked(Lasting):
    """Somebody else holds the lock that writers need for longer than the visibility time-out."""

    name, repeats, lasts_s = "database-locked", False, TWICE_VISIBILITY_S

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:  # noqa: ARG002
        lock = _lock_sqlite if system.settings.sqlalchemy_url.startswith("sqlite") else _lock_postgres
        with lock(system.settings.sqlalchemy_url):
            yield


class FramesFail(Lasting):
    """The folder of the frame store is no folder for three seconds."""

    name, repeats, lasts_s = "frames-fail", False, 3.0

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:  # noqa: ARG002
        system.replace_frame_store(broken=True)
        yield
        system.replace_frame_store(broken=False)


class DiskFull(Lasting):
    """No space is left in the frame store's file system for three seconds."""

    name, repeats, lasts_s = "disk-full", False, 3.0

    @classmethod
    def missing(cls, database: str) -> str:  # noqa: ARG003
        return "" if os.geteuid() == 0 else "only root may mount the small file system that it fills"

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:  # noqa: ARG002
        filler, over = system.frames_folder / ".filler", threading.Event()
        filling = threading.Thread(target=_keep_full, args=(filler, over))
        filling.start()
        yield
        over.set()
        filling.join()
        filler.unlink()


def _keep_full(filler: Path, over: threading.Event) -> None:
    """Pictures that are freed make room."""
    with filler.open("wb", buffering=0) as file:
        while not over.wait(0.01):
            _fill(file)


def _fill(file: FileIO) -> None:
    for size in (1 << 16, 1 << 9):
        try:
            while True:
                file.write(bytes(size))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


@contextmanager
def _lock_sqlite(url: str) -> Iterator[None]:
    path = url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def _lock_postgres(url: str) -> Iterator[None]:
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE jobs, frames, deliveries IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


def _let_write(url: str, *, allowed: bool) -> None:
    """For all but this connection."""
    import psycopg

    own = "-c default_transaction_read_only=off"
    with psycopg.connect(url, autocommit=True, options=own) as connection:
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'off' if allowed else 'on'}")
        connection.execute("SELECT pg_reload_conf()")

"""The database dies or is locked; the frame store fails or is full."""

from __future__ import annotations

import errno
import os
import random
import sqlite3
import time
from io import FileIO

from benchmarks.chaos.faults.fault import Fault
from benchmarks.chaos.machine.system import System


class _OfPostgres(Fault):
    @classmethod
    def missing(cls, database: str) -> str:
        return "" if database == "postgresql" else "SQLite is no server; use --database postgresql"


class DatabaseKill(_OfPostgres):
    """kill -9 of PostgreSQL with all its processes, two seconds away, back by its own crash recovery."""

    name, repeats = "database-kill", False

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        system.kill(system.parts["postgres"], away_s=2.0)


class DatabaseReadOnly(_OfPostgres):
    """PostgreSQL can be read and takes no row for twice the visibility time-out, as after a switch to a standby."""

    name, repeats = "database-read-only", False

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        _let_write(system.settings.sqlalchemy_url, allowed=False)
        time.sleep(2 * system.settings.visibility_timeout_s)
        _let_write(system.settings.sqlalchemy_url, allowed=True)


class DatabaseLocked(Fault):
    """Somebody else holds the lock that writers need for longer than the visibility time-out."""

    name, repeats = "database-locked", False

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        lock = _lock_sqlite if system.settings.sqlalchemy_url.startswith("sqlite") else _lock_postgres
        lock(system.settings.sqlalchemy_url, 2 * system.settings.visibility_timeout_s)


class FramesFail(Fault):
    """The folder of the frame store is no folder for three seconds."""

    name, repeats = "frames-fail", False

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        system.replace_frame_store(broken=True)
        time.sleep(3.0)
        system.replace_frame_store(broken=False)


class DiskFull(Fault):
    """No space is left in the frame store's file system for three seconds."""

    name, repeats = "disk-full", False

    @classmethod
    def missing(cls, database: str) -> str:  # noqa: ARG003
        return "" if os.geteuid() == 0 else "only root may mount the small file system that it fills"

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        filler, until = system.frames_folder / ".filler", time.monotonic() + 3.0
        with filler.open("wb", buffering=0) as file:
            while time.monotonic() < until:
                _fill(file)  # pictures that are freed make room
                time.sleep(0.01)
        filler.unlink()


def _fill(file: FileIO) -> None:
    for size in (1 << 16, 1 << 9):
        try:
            while True:
                file.write(bytes(size))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def _lock_sqlite(url: str, seconds: float) -> None:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    time.sleep(seconds)
    connection.execute("ROLLBACK")
    connection.close()


def _lock_postgres(url: str, seconds: float) -> None:
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE jobs, frames, deliveries IN ACCESS EXCLUSIVE MODE")
        time.sleep(seconds)
        connection.rollback()


def _let_write(url: str, *, allowed: bool) -> None:
    """For all but this connection."""
    import psycopg

    own = "-c default_transaction_read_only=off"
    with psycopg.connect(url, autocommit=True, options=own) as connection:
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'off' if allowed else 'on'}")
        connection.execute("SELECT pg_reload_conf()")

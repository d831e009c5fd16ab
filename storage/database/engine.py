"""The way to the database: transactions, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from sightline.errors import StoreUnavailableError
from storage.database.acting import note_current
from storage.database.causes import CURES
from storage.database.errors import database_errors
from storage.database.outage import Outage
from storage.tables import Base

#: How long a writer waits for others before it gives up with `StoreUnavailableError`.
LOCK_TIMEOUT_S: Final = 30
LOG_PAGES: Final = 1000  #: of SQLite's log, then it is written into the file; its default


class Database:
    """Transactions on one database. Safe to share between threads; not across a fork.

    Raises (every method): StoreUnavailableError when the database does not answer, BadMessageError when it refuses
    a value (a number out of range, NaN, a NUL character).
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._writing = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        # SQLite lets waiting writers poll; within one process a lock hands over without the pauses.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else None
        self.outage = Outage()

    @contextmanager
    def read(self) -> Generator[sa.Connection]:
        """A transaction that only reads."""
        with self._errors(in_writing=False), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Generator[sa.Connection]:
        """A transaction that may write: committed at the end of the block, rolled back on any exception.

        The first one of a person's act also writes its entry of the audit log (`acting`).
        """
        with self._own_turn():
            with self._errors(in_writing=True), self._writing.begin() as connection:
                yield connection
                act = note_current(connection)
            if act is not None:
                act.noted = True

    @contextmanager
    def write_aside(self) -> Generator[sa.Connection]:
        """Like `write`, for background bulk writes: SQLite's WAL checkpoint runs after the lock is released.

        Otherwise that is part of every so many commits, and takes longer than most.
        """
        with self._errors(in_writing=True), self._writing.connect() as connection:
            if self._turn is None:
                with connection.begin():
                    yield connection
                return
            raw: Any = connection.connection.driver_connection
            raw.execute("PRAGMA wal_autocheckpoint=0").close()
            try:
                with self._own_turn(), connection.begin():
                    yield connection
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
            finally:
                raw.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}").close()

    @contextmanager
    def _errors(self, *, in_writing: bool) -> Generator[None]:
        """`database_errors`; and the log says when an outage begins and ends."""
        try:
            with database_errors():
                yield
        except StoreUnavailableError as error:
            self.outage.goes_on(error, in_writing=in_writing)
            raise
        self.outage.is_over(in_writing=in_writing)

    @contextmanager
    def _own_turn(self) -> Generator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=LOCK_TIMEOUT_S):
            raise StoreUnavailableError(f"other writers kept the database busy for {LOCK_TIMEOUT_S} s", cause="busy")
        try:
            yield
        finally:
            self._turn.release()

    def close(self) -> None:
        self.engine.dispose()


def require_writable(database: Database) -> None:
    """Whether it would take a write, as far as that is known without one.

    Raises:
        StoreUnavailableError: it says that it only reads, or refused something a few seconds ago and did nothing of
            it since.
    """
    with database.read() as connection:
        if connection.dialect.name == "sqlite":
            path = connection.engine.url.database
            only_reads = path is not None and not os.access(path, os.W_OK)
        else:
            only_reads = connection.scalar(sa.text("SHOW transaction_read_only")) == "on"
    refused = database.outage.causes()
    if database.engine.dialect.name == "postgresql" and "read_only" in refused:
        refused.remove("read_only")  # what it says itself is newer
    for cause in ["read_only"] if only_reads else refused:
        raise StoreUnavailableError(f"the database: {CURES[cause]}", cause=cause)


def insert_into(on: sa.Connection | str, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, which SQLAlchemy offers per dialect only; `on` may be the dialect's name."""
    name = on if isinstance(on, str) else on.dialect.name
    return sqlite.insert(table) if name == "sqlite" else postgresql.insert(table)

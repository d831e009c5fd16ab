"""The way to the database: one engine per process, transactions, errors, and the revision of the tables.

SQLite: write-ahead log, every writing transaction takes the write lock at its start. PostgreSQL: psycopg 3.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy import event, exc
from sqlalchemy.dialects import postgresql, sqlite

from sightline.errors import BadMessageError, SettingsError, StoreUnavailableError
from storage.database.acting import note_current
from storage.database.outage import Outage
from storage.tables import Base

if TYPE_CHECKING:
    from alembic.config import Config

#: How long a writer waits for others before it gives up with `StoreUnavailableError`.
LOCK_TIMEOUT_S: Final = 30
CONNECT_TIMEOUT_S: Final = 5
POOL_TIMEOUT_S: Final = 10
_LOG_PAGES: Final = 1000  #: of SQLite's log, then it is written into the file; its default
_MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
_REVISION_TABLE: Final = sa.table("alembic_version", sa.column("version_num"))
_REVISION: Final = sa.select(_REVISION_TABLE.c.version_num)
_UPGRADE_LOCK: Final = 5_318_008  # any number, the same in every process
_UNDEFINED_TABLE: Final = "42P01"
_CURE: Final = "run `python -m storage upgrade`, or name another in SIGHTLINE_DATABASE_URL"


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
        self._outage = Outage()

    @contextmanager
    def read(self) -> Generator[sa.Connection]:
        """A transaction that only reads."""
        with self._errors(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Generator[sa.Connection]:
        """A transaction that may write: committed at the end of the block, rolled back on any exception.

        The first one of a person's act also writes its entry of the audit log (`acts`).
        """
        with self._own_turn():
            with self._errors(), self._writing.begin() as connection:
                yield connection
                act = note_current(connection)
            if act is not None:
                act.noted = True

    @contextmanager
    def write_aside(self) -> Generator[sa.Connection]:
        """The same for who is in no hurry and writes much: others have their turn before SQLite tidies up its log.

        Otherwise that is part of every so many commits, and takes longer than most.
        """
        with self._errors(), self._writing.connect() as connection:
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
                raw.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}").close()

    @contextmanager
    def _errors(self) -> Generator[None]:
        """`database_errors`; and the log says when an outage begins and ends."""
        try:
            with database_errors():
                yield
        except StoreUnavailableError as error:
            self._outage.goes_on(error)
            raise
        self._outage.is_over()

    @contextmanager
    def _own_turn(self) -> Generator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=LOCK_TIMEOUT_S):
            raise StoreUnavailableError(f"other writers kept the database busy for {LOCK_TIMEOUT_S} s")
        try:
            yield
        finally:
            self._turn.release()

    def close(self) -> None:
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Prepare the way to `url`; connects with the first transaction. Accepts `sqlite:///file` and `postgresql://…`.

    Raises:
        SettingsError: the URL is of no kind we know.
    """
    address = _address(url)
    if address.get_backend_name() == "sqlite":
        _make_file(Path(str(address.database)))
        engine = sa.create_engine(
            address,
            pool_size=8,
            # Last in, first out: a page cache each, so that only connections that are needed at once fill theirs.
            pool_use_lifo=True,
            max_overflow=32,
            pool_timeout=POOL_TIMEOUT_S,
            json_serializer=_to_json,
            connect_args={"timeout": LOCK_TIMEOUT_S},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return Database(engine)
    connect_args: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": LOCK_TIMEOUT_S * 1000,  # a server that is gone without a word must not hang the writer
        "application_name": "sightline",
    }
    if "options" not in address.query:
        timeout_ms = LOCK_TIMEOUT_S * 1000
        connect_args["options"] = f"-c timezone=UTC -c statement_timeout={timeout_ms} -c lock_timeout={timeout_ms}"
    try:
        engine = sa.create_engine(
            address,
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=32,
            pool_timeout=POOL_TIMEOUT_S,
            json_serializer=_to_json,
            connect_args=connect_args,
        )
    except ModuleNotFoundError as error:
        raise SettingsError(
            "SIGHTLINE_DATABASE_URL: postgresql:// needs psycopg: pip install '.[postgres]' in the checkout"
        ) from error
    return Database(engine)


def require_existing(url: str) -> None:
    """Opening a SQLite file makes it; where that would hide a wrong folder, ask first.

    Raises:
        SettingsError: the URL names a file that does not exist.
    """
    address = _address(url)
    if address.get_backend_name() == "sqlite" and not Path(str(address.database)).exists():
        raise SettingsError(f"there is no database {address.database}: {_CURE}")


def insert_into(on: sa.Connection | str, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, which SQLAlchemy offers per dialect only; `on` may be the dialect's name."""
    name = on if isinstance(on, str) else on.dialect.name
    return sqlite.insert(table) if name == "sqlite" else postgresql.insert(table)


@contextmanager
def database_errors() -> Generator[None]:
    """Map the errors of SQLAlchemy and the drivers to ours; what stays unmapped is a bug."""
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
        raise StoreUnavailableError(f"the database did not take the statement: {_cause(error)}") from error
    except (exc.DataError, exc.IntegrityError) as error:
        raise BadMessageError(f"the database refused a value: {_cause(error)}") from error
    except (OverflowError, UnicodeEncodeError) as error:  # the drivers raise these bare
        raise BadMessageError(f"the database refused a value: {error}") from error
    except exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _UNDEFINED_TABLE:
            raise
        # As on SQLite: another process may be about to create the tables.
        raise StoreUnavailableError(f"{_cause(error)}; run `python -m storage upgrade`") from error


def upgrade(url: str) -> str:
    """Bring the tables to the newest revision and return it. Several processes may call this at once."""
    from alembic import command

    database = open_database(url)
    try:
        with database.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"))
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        database.close()
    return expected_revision()


def current_revision(database: Database) -> str | None:
    """The revision the tables have; None before the first upgrade."""
    with database.read() as connection:
        if not sa.inspect(connection).has_table(_REVISION_TABLE.name):
            return None
        # Asked at every look at readiness. Alembic's own way makes a new statement each time, which SQLAlchemy
        # compiles and keeps.
        return connection.scalar(_REVISION)


@cache
def expected_revision() -> str:
    """The revision this code was written for."""
    from alembic.script import ScriptDirectory

    return str(ScriptDirectory.from_config(alembic_config()).get_current_head())


def check_revision(database: Database) -> None:
    """Refuse to work on tables of another revision.

    Raises:
        SettingsError: with the command that helps.
    """
    current, expected = current_revision(database), expected_revision()
    if current != expected:
        where = database.engine.url.render_as_string(hide_password=True)
        raise SettingsError(f"the database {where} has revision {current or 'none'}, not {expected}: {_CURE}")


def _address(url: str) -> sa.URL:
    try:
        address = sa.make_url(url)
    except exc.ArgumentError as error:
        raise SettingsError("SIGHTLINE_DATABASE_URL is not a URL; expected sqlite:///file or postgresql://…") from error
    name = address.get_backend_name()
    if name in ("postgres", "postgresql"):
        return address.set(drivername="postgresql+psycopg")
    if name == "sqlite" and address.database not in (None, "", ":memory:"):
        return address
    shown = address.render_as_string(hide_password=True)
    raise SettingsError(
        f"SIGHTLINE_DATABASE_URL: {shown} cannot be shared between processes; expected sqlite:///file or postgresql://…"
    )


def _to_json(value: Any) -> str:
    """Sooner than Python's own, which is left for what was no job: halves of characters, deep nests."""
    try:
        return to_json(value, inf_nan_mode="constants").decode()
    except ValueError:
        return json.dumps(value)


def _make_file(path: Path) -> None:
    """Its owner's alone: there are passwords of cameras in it. SQLite gives its log the same mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
    except OSError as error:
        raise SettingsError(f"SIGHTLINE_DATABASE_URL: cannot make {path}: {error.strerror}") from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 must not begin transactions by itself: `_begin_sqlite` does
    _use_write_ahead_log(connection)
    for pragma in (
        "synchronous=NORMAL",
        "foreign_keys=ON",
        "case_sensitive_like=ON",  # as on PostgreSQL, and it lets LIKE use an index
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """The file remembers it. The first time needs the file alone, and SQLite does not wait for that by itself."""
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: sa.Connection) -> None:
    # A read transaction that turns to writing could be refused half-way: writers take the lock at once.
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def alembic_config() -> Config:
    """Alembic's settings, made here: no file has to be found, whatever the current folder."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _cause(error: exc.StatementError | exc.TimeoutError) -> str:
    """The driver's words, without our statement and its parameters."""
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())

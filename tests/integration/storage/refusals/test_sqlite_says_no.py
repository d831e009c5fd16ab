"""A SQLite file that cannot be written is waited for; one that is damaged is refused in words."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, exc

from sightline.errors import SettingsError, StoreUnavailableError
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import check_revision
from tests.integration.storage.bundles import frame_result, message
from tests.stores import open_store


@pytest.fixture
def file(sqlite_template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sqlite_template, tmp_path / "sightline.sqlite3"))


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{file}")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("pragma", "cause"),
    [
        ("query_only = ON", "read_only"),  # what a file gives that may not be written; to root all may
        ("max_page_count = 1", "disk_full"),
    ],
)
def test_what_cannot_be_written_for_a_while(database: Database, pragma: str, cause: str) -> None:
    def limit(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA {pragma}").close()

    # More than the free pages of the file take.
    many = [message(*[frame_result(source=f"cam{number}") for number in range(64)]) for _ in range(4)]
    event.listen(database.engine, "connect", limit)
    with pytest.raises(StoreUnavailableError) as caught:
        open_store(database).store(many, ())
    assert caught.value.cause == cause
    assert database.outage.causes() == [cause]
    event.remove(database.engine, "connect", limit)
    database.engine.dispose()
    open_store(database).store(many, ())
    assert database.outage.causes() == []


def test_locked_by_another_program(file: Path) -> None:
    database = open_database(f"sqlite:///{file}?timeout=0.05")
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailableError, match="database is locked") as caught:
            open_store(database).store([message(frame_result())], ())
        other.execute("ROLLBACK")
    assert caught.value.cause == "busy"
    open_store(database).store([message(frame_result())], ())
    database.close()


def test_a_statement_that_is_wrong_is_a_bug(database: Database) -> None:
    with pytest.raises(exc.OperationalError), database.read() as connection:
        connection.exec_driver_sql("SELECTED 1")


@pytest.mark.parametrize("begin", [0, 4096], ids=["header", "pages"])
def test_a_damaged_file_is_refused_at_the_start_and_waited_for_later(file: Path, begin: int) -> None:
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(begin)
        opened.write(b"x" * (size - begin))
    database = open_database(f"sqlite:///{file}")
    with pytest.raises(SettingsError, match=r"damaged: .* restore a backup"):
        check_revision(database)
    with pytest.raises(StoreUnavailableError) as caught:
        open_store(database).store([message(frame_result())], ())
    assert caught.value.cause == "damaged"
    database.close()

"""An outage of the database is in the log once when it begins and once when it is over."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from sightline.errors import BadMessageError, StoreUnavailableError
from sightline.retry import Patience
from storage.database.engine import Database
from storage.database.opening import open_database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(f"sqlite:///{tmp_path / 'rows.sqlite3'}")


def fail(database: Database) -> None:
    with pytest.raises(StoreUnavailableError), database.read():
        raise exc.OperationalError("SELECT secret", {}, Exception("connection refused"))


def succeed(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.text("SELECT 1"))


def test_begin_and_end_are_each_said_once(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    succeed(database)
    assert caplog.text == ""
    for _ in range(3):
        fail(database)
    assert caplog.text.count("connection refused") == 1
    assert "secret" not in caplog.text
    succeed(database)
    succeed(database)
    assert caplog.text.count("the database answers again, after") == 1
    fail(database)
    assert caplog.text.count("connection refused") == 2


def test_a_refused_value_is_no_outage(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(BadMessageError), database.read():
        raise exc.DataError("INSERT", {}, Exception("out of range"))
    assert caplog.text == ""


def test_who_waited_says_that_it_goes_on(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    patience = Patience()
    monkeypatch.setattr(patience, "pause", lambda *_, **__: None)
    outcomes = iter([StoreUnavailableError("down"), StoreUnavailableError("down"), "stored"])

    def store() -> str:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert patience.insist(store, "store results") == "stored"
    assert caplog.text.count("cannot store results yet") == 2
    assert caplog.text.count("can store results again, after") == 1

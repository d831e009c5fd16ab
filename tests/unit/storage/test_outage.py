"""An outage of the database is in the log once when it begins and once when it is over."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from sightline.errors import BadMessageError, StoreUnavailableError
from sightline.retry import Patience, Sparing
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


def test_reading_does_not_end_what_was_met_in_writing(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        with pytest.raises(StoreUnavailableError), database.write():
            raise exc.OperationalError("INSERT", {}, Exception("session is read-only"))
        with database.read() as connection:
            connection.execute(sa.text("SELECT 1"))
        assert database.outage.causes() == ["read_only"]
    assert caplog.text.count("read-only") == 1
    succeed(database)
    assert database.outage.causes() == []
    assert caplog.text.count("answers again") == 1


def test_a_read_tells_that_it_answers_again(database: Database) -> None:
    with pytest.raises(StoreUnavailableError), database.write():
        raise exc.OperationalError("INSERT", {}, Exception("connection refused"))
    assert database.outage.causes() == ["unreachable"]
    with database.read() as connection:
        connection.execute(sa.text("SELECT 1"))
    assert database.outage.causes() == []


def test_what_was_refused_is_not_held_against_it_for_long(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreUnavailableError), database.write():
        raise exc.OperationalError("INSERT", {}, Exception("session is read-only"))
    now_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now_s + 10)
    assert database.outage.causes() == []


def test_each_cause_is_said(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    for text in ("connection refused", "too many clients already", "connection refused"):
        with pytest.raises(StoreUnavailableError), database.read():
            raise exc.OperationalError("SELECT", {}, Exception(text))
    assert database.outage.causes() == ["too_many_clients", "unreachable"]
    assert len(caplog.records) == 2


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
    assert caplog.text.count("cannot store results yet") == 1
    assert caplog.text.count("can store results again, after") == 1


def test_of_all_who_wait_for_one_cause_one_says_so() -> None:
    sparing = Sparing()
    same = [sparing.is_due(StoreUnavailableError(f"job {number}", cause="read_only")) for number in range(3)]
    assert same == [True, False, False]
    assert sparing.is_due(StoreUnavailableError("job 4", cause="disk_full"))

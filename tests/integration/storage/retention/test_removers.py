"""Removers take little at a time, and work beside the writers and one another."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from sightline.wire.messages import Message
from storage.database.engine import Database
from storage.jobs import job_rows
from storage.results import queries
from storage.results.store import Store
from storage.retention import expired_rows
from storage.retention.expired_rows import OtherRemoverError
from storage.tables import AuditLog, Deliveries, Frames, Jobs, Passages, PlateRotations
from tests.integration.storage.at_once import run_all
from tests.integration.storage.bundles import frame_result, message
from tests.integration.storage.retention.aging import NOW, count, put_aged, remove


def test_a_transaction_takes_a_bounded_number_of_rows(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expired_rows, "MAX_ROWS", 20)
    for _ in range(6):  # a job, two frames, two detections, two readings: 7 rows
        put_aged(store, database, message(frame_result(), frame_result(at_s=1)), 101)
    put_aged(store, database, message(*(frame_result(at_s=n) for n in range(20))), 101)
    told: list[Counter[str]] = []
    remove(database, thorough=False, tell=lambda took: told.append(Counter(took)))
    assert [each["jobs"] for each in told] == [2, 2, 2, 1]
    assert [each["frames"] for each in told] == [4, 4, 4, 20]  # a job is never divided


def test_it_pauses_between_and_ends_when_told(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expired_rows, "MAX_ROWS", 1)
    for _ in range(3):
        put_aged(store, database, message(frame_result()), 101)
    pauses: list[float] = []

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) == 2

    assert remove(database, wait=wait)["jobs"] == 2
    assert min(pauses) > 0
    assert remove(database)["jobs"] == 1


@pytest.mark.parametrize(
    ("index", "question"),
    [
        (
            "ix_jobs_finished_at",
            lambda: sa.select(Jobs.job_id).where(expired_rows.is_old_job(NOW)).order_by(Jobs.finished_at),
        ),
        ("ix_frames_kept_stored_at", lambda: sa.select(Frames.frame_id).where(expired_rows.has_old_picture(NOW))),
        ("ix_deliveries_sent", lambda: sa.select(Deliveries.delivery_id).where(Deliveries.sent_at < NOW)),
        ("ix_audit_log_at", lambda: sa.select(AuditLog.entry_id).where(AuditLog.at < NOW).order_by(AuditLog.at)),
    ],
)
def test_what_is_old_is_found_by_indexes(database: Database, index: str, question: Callable[[], Any]) -> None:
    with database.read() as connection:
        explain = "EXPLAIN QUERY PLAN"
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
            explain = "EXPLAIN"
        text = str(question().compile(database.engine, compile_kwargs={"literal_binds": True}))
        plan = str(connection.exec_driver_sql(f"{explain} {text}").all())
    assert index in plan


def test_one_remover_waits_for_another(database: Database, store: Store) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer anyhow")
    put_aged(store, database, message(frame_result()), 101)
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with expired_rows.removing(database):
            holding.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(10)
    with pytest.raises(OtherRemoverError), expired_rows.removing(database):
        pass
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        release.set()
        thread.join(10)
        return False

    assert remove(database, wait=wait)["jobs"] == 1
    assert waited[0] == 1


def test_what_the_writer_is_at_is_left_for_the_next_time(database: Database, store: Store) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer anyhow")
    held = put_aged(store, database, message(frame_result()), 102)
    put_aged(store, database, message(frame_result(source="yard")), 101)
    with database.write() as connection:
        connection.execute(sa.select(Jobs.job_id).where(Jobs.job_id == held.job.job_id).with_for_update())
        assert remove(database, thorough=False)["jobs"] == 1
    assert remove(database)["jobs"] == 1


def test_several_remove_while_others_write(database: Database, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old frames, a vehicle that is seen again and again, and replays of old jobs: in the end the books balance."""
    monkeypatch.setattr(expired_rows, "MAX_ROWS", 20)
    # Of a publish that is older than the rows say, so that its repetition is one.
    sent = [message(frame_result([f"AB{n:02}CD"]), frame_result(["XY98ZW"]), published_at=1.0) for n in range(30)]
    old = [put_aged(store, database, each, 101) for each in sent]
    removed: list[Counter[str]] = []

    def remove_all() -> None:
        removed.append(remove(database, wait=lambda _: bool(time.sleep(0.001))))

    def write() -> None:
        for n in range(15):
            store.store([message(frame_result([f"AB{n:02}CD"], at_s=n), frame_result(["XY98ZW"], at_s=n))], ())
            store.store([Message(job=old[n].job, results=old[n].results)], ())

    run_all([remove_all, remove_all, write, write])
    total = Counter[str]()
    for each in removed:
        total += each
    counts = queries.counts_by_source(database)["gate"]
    assert counts["stored"] == count(database, Frames)
    assert counts["removed"] == total["frames"] >= 60
    assert remove(database)["frames"] == 0
    with database.read() as connection:
        texts = set(connection.scalars(sa.select(Passages.folded)))
        known = set(connection.scalars(sa.select(PlateRotations.folded)))
    assert texts <= known


def test_a_reading_that_comes_again_finds_the_passage_that_has_its_name(database: Database, store: Store) -> None:
    first = put_aged(store, database, message(frame_result(frame_id="frame-0001")), 101)
    put_aged(store, database, message(frame_result(at_s=8)), 101)
    put_aged(store, database, message(frame_result(at_s=16)), 1)
    assert remove(database)["readings"] == 2
    store.store([message(*first.results)], ())
    (passage,) = queries.list_passages(database).items
    assert (passage.passage_id, passage.reading_count) == ("frame-0001.0", 3)
    assert len(queries.list_readings(database, passage_id="frame-0001.0").items) == 2


def test_a_job_that_goes_while_it_comes_again_is_new(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer anyhow")
    sent = put_aged(store, database, message(frame_result(), published_at=1.0), 101)
    load = job_rows._load

    def load_late(connection: sa.Connection, job_ids: list[str]) -> dict[str, Any]:
        remove(database)
        return load(connection, job_ids)

    monkeypatch.setattr(job_rows, "_load", load_late)
    (stored,) = store.store([sent], ())
    assert stored.counts == {"gate": Counter(stored=1)}
    assert queries.counts_by_source(database) == {"gate": Counter(stored=1, removed=1)}

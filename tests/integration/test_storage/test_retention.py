"""What is old goes, and nothing else."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sightline.events import Event
from sightline.frames import FrameStore, open_frame_store
from sightline.messages import Message
from sightline.settings import Settings
from sightline.testing import MemoryFrameStore
from sightline.types import Lane
from storage import books, deliveries, job_rows, old_rows, queries
from storage.accepted import Accepted
from storage.database import Database
from storage.dead_letters import Replay, begin_replays, discard_letters, get_letters, mark_replayed
from storage.old_rows import OtherRemoverError
from storage.outbox import Outbox, finalize_passages
from storage.removed import fold_hours, hour_of, note_removed
from storage.retention import Horizons, count_old, remove_old
from storage.search import find_passages
from storage.sinks import add_sink, new_sink
from storage.store import Store
from storage.tables import AuditLog, DeadLetters, Deliveries, Frames, Jobs, Passages, PlateRotations, RemovedRows
from tests.integration.test_storage.bundles import frame_result, message
from tests.integration.test_storage.test_concurrency import run_all

NOW = datetime.now(UTC)
SETTINGS = Settings(keep_results_days=100, keep_pictures_days=10, keep_dead_letters_days=200, keep_audit_log_days=300)


def age(database: Database, job_id: str, days: float) -> None:
    """Let a job, its frames and its letters have been stored so long ago."""
    then = NOW - timedelta(days=days)
    frames = sa.select(Frames.frame_id).where(Frames.job_id == job_id)
    with database.write() as connection:
        connection.execute(sa.update(Passages).values(final_at=NOW).where(Passages.best_frame_id.in_(frames)))
        connection.execute(sa.update(Jobs).values(finished_at=then, published_at=then).where(Jobs.job_id == job_id))
        connection.execute(sa.update(Frames).values(stored_at=then, published_at=then).where(Frames.job_id == job_id))
        connection.execute(sa.update(DeadLetters).values(died_at=then).where(DeadLetters.job_id == job_id))


def put(store: Store, database: Database, sent: Message, days: float, kept: tuple[str, ...] = ()) -> Message:
    store.store([sent], kept)
    age(database, sent.job.job_id, days)
    return sent


def run(
    database: Database,
    pictures: FrameStore | None = None,
    settings: Settings = SETTINGS,
    *,
    days: float | None = None,
    **options: Any,
) -> Counter[str]:
    options.setdefault("wait", lambda _: False)
    horizons = Horizons.from_settings(settings, NOW, days)
    return remove_old(database, pictures or MemoryFrameStore(), horizons, NOW, **options)


def count(database: Database, table: Any) -> int:
    with database.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_what_is_old_goes_whole_and_what_is_young_stays(database: Database, store: Store) -> None:
    old = put(store, database, message(frame_result(["AB12CD"]), frame_result(["AB12CD"], at_s=1)), 101)
    young = put(store, database, message(frame_result(["XY98ZW"], source="yard")), 99)
    expected = Counter(jobs=1, frames=2, detections=2, readings=2, passages=1)
    assert count_old(database, MemoryFrameStore(), Horizons.from_settings(SETTINGS, NOW), NOW) == expected
    assert run(database) == expected + Counter(plates=1)
    assert queries.get_job(database, old.job.job_id) is None
    (frame,) = queries.list_frames(database).items
    (passage,) = queries.list_passages(database).items
    assert (frame.job_id, passage.text) == (young.job.job_id, "XY98ZW")
    assert find_passages(database, "AB12CD").items == ()
    assert count(database, PlateRotations) == len("XY98ZW|")
    assert run(database) == Counter()


def test_by_default_rows_stay_a_year_and_pictures_a_month(database: Database, store: Store) -> None:
    pictures = MemoryFrameStore()
    for days, frame_id in ((366, "frame-year"), (31, "frame-month"), (29, "frame-week")):
        put(store, database, message(frame_result(frame_id=frame_id, source=frame_id)), days, (frame_id,))
        pictures.put_many({frame_id: b"x"})
    run(database, pictures, Settings())
    kept = {frame.frame_id: frame.picture_kept for frame in queries.list_frames(database).items}
    assert kept == {"frame-month": False, "frame-week": True}
    assert pictures.pixels.keys() == {"frame-week"}


def test_zero_keeps_for_ever_and_days_by_hand_are_about_results_alone(database: Database, store: Store) -> None:
    put(store, database, message(frame_result()), 3000)
    put(store, database, message(frame_result(error="bad_image")), 3000)
    add_entry(database, 3000)
    never = Settings(
        keep_results_days=0, keep_pictures_days=0, keep_dead_letters_days=0, keep_audit_log_days=0, delivery_keep_s=1
    )
    assert run(database, settings=never) == Counter()
    removed = run(database, settings=never, days=1)
    assert (removed["frames"], removed["dead_letters"], removed["audit_log"]) == (1, 0, 0)


def test_what_was_stored_just_now_stays_whatever_is_asked_for(database: Database, store: Store) -> None:
    store.store([message(frame_result())], ())
    assert run(database, days=0.00001) == Counter()


def test_an_open_passage_stays_until_it_is_final(database: Database, store: Store) -> None:
    put(store, database, message(frame_result()), 101)
    with database.write() as connection:
        connection.execute(sa.update(Passages).values(final_at=None))
    removed = run(database)
    assert (removed["readings"], removed["passages"], removed["plates"]) == (1, 0, 0)
    assert find_passages(database, "AB12CD").items != ()
    finalize_passages(database, timedelta(0), datetime.now(UTC) + timedelta(days=1))
    with database.write() as connection:
        connection.execute(sa.update(Passages).values(first_seen=NOW - timedelta(days=101)))
    assert run(database, thorough=False) == Counter()
    assert run(database) == Counter(passages=1, plates=1)


def test_a_passage_with_a_young_reading_keeps_its_name(database: Database, store: Store) -> None:
    put(store, database, message(frame_result()), 101)
    put(store, database, message(frame_result(at_s=2)), 1)
    removed = run(database)
    assert (removed["frames"], removed["passages"]) == (1, 0)
    (passage,) = queries.list_passages(database).items
    assert (passage.text, passage.reading_count) == ("AB12CD", 2)


def test_a_job_that_is_noted_as_accepted_stays(database: Database, store: Store) -> None:
    sent = put(store, database, message(frame_result()), 101)
    accepted = Accepted(database, None)
    accepted.keep(sent.job, {})
    assert run(database)["jobs"] == 0
    with database.write() as connection:  # as `forget_finished`, once the publish is over
        connection.execute(sa.text("DELETE FROM accepted_jobs"))
    assert run(database)["jobs"] == 1


def test_dead_letters_have_their_own_time(database: Database, store: Store) -> None:
    pictures = MemoryFrameStore()

    def die(name: str, days: float) -> str:
        put(store, database, message(frame_result(frame_id=name, error="bad_image")), days, (name,))
        pictures.put_many({name: b"x"})
        return next(each.letter_id for each in queries.list_dead_letters(database).items if each.frame.frame_id == name)  # type: ignore[union-attr]

    die("frame-old", 201)
    die("frame-open", 199)
    discard_letters(database, [die("frame-gone", 101)])
    discard_letters(database, [die("frame-left", 99)])
    removed = run(database, pictures)
    assert (removed["jobs"], removed["dead_letters"]) == (3, 2)
    assert pictures.pixels.keys() == {"frame-open", "frame-left"}
    letters = queries.list_dead_letters(database, ended=True).items
    assert {letter.frame.frame_id for letter in letters if letter.frame} == {"frame-open", "frame-left"}
    assert queries.counts_by_source(database) == {"gate": Counter(dead=2, removed_dead=2)}


def test_a_letter_that_was_stored_since_goes_with_its_frame(database: Database, store: Store) -> None:
    """It must not be trouble again once its frame is gone."""
    pictures = MemoryFrameStore()
    pictures.put_many({"frame-0001": b"x"})
    died = put(store, database, message(frame_result(frame_id="frame-0001", error="bad_image")), 150, ("frame-0001",))
    (letter,) = queries.list_dead_letters(database).items
    replay = message(frame_result(["AB12CD"], frame_id="frame-0001"), lane=Lane.BULK)
    begin_replays(database, [Replay(letter, replay.job.job_id)])
    mark_replayed(database, [Replay(letter, replay.job.job_id)])
    put(store, database, replay, 20, ("frame-0001",))
    # The picture is too old; nobody will replay what is stored.
    assert run(database, pictures) == Counter(jobs=1, pictures=1)
    assert queries.get_job(database, died.job.job_id) is None
    assert not get_letters(database, [letter.letter_id])[0].picture_kept
    age(database, replay.job.job_id, 101)
    removed = run(database, pictures)
    assert (removed["frames"], removed["dead_letters"]) == (1, 1)
    assert queries.list_dead_letters(database, ended=True).items == ()
    assert queries.counts_by_source(database) == {"gate": Counter(removed=1, removed_dead=1)}


def test_letters_outlive_their_job_as_long_as_an_audit_asks(database: Database) -> None:
    short = SETTINGS.model_copy(update={"keep_dead_letters_days": 1.0})
    assert Horizons.from_settings(short, NOW).letters == NOW - timedelta(days=31)
    assert Horizons.from_settings(short, NOW, days=5).letters == NOW - timedelta(days=5)
    assert Horizons.from_settings(SETTINGS, NOW).letters == NOW - timedelta(days=200)


def test_a_picture_that_another_row_refers_to_stays(database: Database, store: Store) -> None:
    """A frame that died, was stored by another job, and whose letter is not old yet."""
    pictures = MemoryFrameStore()
    pictures.put_many({"frame-0001": b"x", "frame-0002": b"x"})
    put(store, database, message(frame_result(frame_id="frame-0001", error="bad_image")), 250, ("frame-0001",))
    put(store, database, message(frame_result(frame_id="frame-0001")), 1, ("frame-0001",))
    put(store, database, message(frame_result(frame_id="frame-0002", error="bad_image")), 250, ("frame-0002",))
    removed = run(database, pictures)
    assert (removed["dead_letters"], removed["pictures"]) == (2, 1)
    assert pictures.pixels.keys() == {"frame-0001"}


def test_pictures_of_no_row_go_once_they_are_old(database: Database, store: Store, tmp_path: Path) -> None:
    import os

    pictures = open_frame_store((tmp_path / "pictures").as_uri(), ttl_s=None)
    put(store, database, message(frame_result(frame_id="frame-kept")), 5, ("frame-kept",))
    accepted = Accepted(database, pictures)
    noted = message(frame_result(frame_id="frame-noted"))
    accepted.keep(noted.job, {"frame-noted": b"spare"})
    pictures.put_many(dict.fromkeys(("frame-kept", "frame-lost", "frame-new"), b"x"))
    for path in (tmp_path / "pictures").glob("*/*"):
        if path.name != "frame-new":
            os.utime(path, (time.time() - 11 * 86400,) * 2)
    horizons = Horizons.from_settings(SETTINGS, NOW)
    assert count_old(database, pictures, horizons, NOW) == Counter(pictures=1)
    assert run(database, pictures) == Counter(pictures=1)
    assert pictures.get_many(["frame-kept", "frame-lost", "frame-new"]) == [b"x", None, b"x"]
    assert len(list((tmp_path / "pictures").glob("*/*"))) == 3


def test_events_that_wait_stay_however_old(database: Database) -> None:
    add_sink(database, new_sink(sink_id="hook", url="http://127.0.0.1:9/", events=[Event.FRAME_STORED]))
    store = Store(database, 10.0, Outbox(sinks_every_s=0))
    for number in range(4):
        store.store([message(frame_result(source=f"cam{number}"))], ())
    waiting, sent, given_up, recent = deliveries.take_due(
        database, "hook", limit=9, lease=timedelta(seconds=1), now=datetime.now(UTC)
    )
    old, newer = NOW - timedelta(days=300), NOW - timedelta(days=1)
    failures = [deliveries.Failure(given_up.delivery_id, "400", None)]
    deliveries.settle(database, "hook", sent=[sent.delivery_id], failed=failures, now=old)
    deliveries.settle(database, "hook", sent=[recent.delivery_id], now=newer)
    with database.write() as connection:
        connection.execute(sa.update(Deliveries).values(created_at=old))
        orphan = sa.select(Deliveries.__table__).where(Deliveries.delivery_id == waiting.delivery_id)
        row = dict(connection.execute(orphan).mappings().one())
        connection.execute(sa.insert(Deliveries), [row | {"sink": "gone", "delivery_id": "orphan"}])
    assert run(database) == Counter(events=3)
    with database.read() as connection:
        left = set(connection.scalars(sa.select(Deliveries.delivery_id)))
    assert left == {waiting.delivery_id, recent.delivery_id}


def add_entry(database: Database, days: float) -> None:
    row: dict[str, Any] = dict.fromkeys(("actor", "action", "outcome"), "x") | {"query": {}}
    with database.write() as connection:
        new = row | {"entry_id": f"entry-{days}", "at": NOW - timedelta(days=days)}
        connection.execute(sa.insert(AuditLog), [new])


def test_entries_of_the_audit_log_go(database: Database) -> None:
    add_entry(database, 301)
    add_entry(database, 299)
    assert run(database) == Counter(audit_log=1)
    assert count(database, AuditLog) == 1


def test_a_transaction_takes_a_bounded_number_of_rows(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(old_rows, "MAX_ROWS", 20)
    for _ in range(6):  # a job, two frames, two detections, two readings: 7 rows
        put(store, database, message(frame_result(), frame_result(at_s=1)), 101)
    put(store, database, message(*(frame_result(at_s=n) for n in range(20))), 101)
    told: list[Counter[str]] = []
    run(database, thorough=False, tell=lambda took: told.append(Counter(took)))
    assert [each["jobs"] for each in told] == [2, 2, 2, 1]
    assert [each["frames"] for each in told] == [4, 4, 4, 20]  # a job is never divided


def test_it_pauses_between_and_ends_when_told(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(old_rows, "MAX_ROWS", 1)
    for _ in range(3):
        put(store, database, message(frame_result()), 101)
    pauses: list[float] = []

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) == 2

    assert run(database, wait=wait)["jobs"] == 2
    assert min(pauses) > 0
    assert run(database)["jobs"] == 1


def test_the_hours_of_what_went_are_counted(database: Database, store: Store) -> None:
    put(store, database, message(frame_result(), frame_result(source="yard")), 5)
    put(store, database, message(frame_result()), 400)
    short = SETTINGS.model_copy(update={"keep_results_days": 2.0})
    run(database, settings=short)
    hour = datetime.fromtimestamp(hour_of(NOW - timedelta(days=5)) * 3600, UTC)
    counted = books.rows_between(database, hour, hour + timedelta(hours=1))
    assert counted == {"gate": Counter(removed=1), "yard": Counter(removed=1)}
    assert books.rows_between(database, hour + timedelta(hours=1), NOW) == {}
    assert queries.counts_by_source(database) == {"gate": Counter(removed=2), "yard": Counter(removed=1)}
    with database.write() as connection:
        fold_hours(connection, NOW + timedelta(days=30))
    assert books.rows_between(database, hour, hour + timedelta(hours=1)) == {}
    assert queries.counts_by_source(database) == {"gate": Counter(removed=2), "yard": Counter(removed=1)}
    assert count(database, RemovedRows) == 2


def test_counts_of_what_went_add_up(database: Database) -> None:
    for _ in range(2):
        with database.write() as connection:
            note_removed(connection, NOW, stored=[("gate", NOW)] * 3, dead=[("gate", 2), ("yard", 1)])
    assert queries.counts_by_source(database) == {
        "gate": Counter(removed=6, removed_dead=4),
        "yard": Counter(removed_dead=2),
    }


def test_several_remove_while_others_write(database: Database, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old frames, a vehicle that is seen again and again, and replays of old jobs: in the end the books balance."""
    monkeypatch.setattr(old_rows, "MAX_ROWS", 20)
    # Of a publish that is older than the rows say, so that its repetition is one.
    sent = [message(frame_result([f"AB{n:02}CD"]), frame_result(["XY98ZW"]), published_at=1.0) for n in range(30)]
    old = [put(store, database, each, 101) for each in sent]
    removed: list[Counter[str]] = []

    def remove() -> list[Any]:
        removed.append(run(database, wait=lambda _: time.sleep(0.001) or False))  # type: ignore[func-returns-value]
        return []

    def write() -> list[Any]:
        for n in range(15):
            store.store([message(frame_result([f"AB{n:02}CD"], at_s=n), frame_result(["XY98ZW"], at_s=n))], ())
            store.store([Message(job=old[n].job, results=old[n].results)], ())
        return []

    run_all([remove, remove, write, write])
    total = Counter[str]()
    for each in removed:
        total += each
    counts = queries.counts_by_source(database)["gate"]
    assert counts["stored"] == count(database, Frames)
    assert counts["removed"] == total["frames"] >= 60
    assert run(database)["frames"] == 0
    with database.read() as connection:
        texts = set(connection.scalars(sa.select(Passages.folded)))
        known = set(connection.scalars(sa.select(PlateRotations.folded)))
    assert texts <= known


def test_a_reading_that_comes_again_finds_the_passage_that_has_its_name(database: Database, store: Store) -> None:
    first = put(store, database, message(frame_result(frame_id="frame-0001")), 101)
    put(store, database, message(frame_result(at_s=8)), 101)
    put(store, database, message(frame_result(at_s=16)), 1)
    assert run(database)["readings"] == 2
    store.store([message(*first.results)], ())
    (passage,) = queries.list_passages(database).items
    assert (passage.passage_id, passage.reading_count) == ("frame-0001.0", 3)
    assert len(queries.list_readings(database, passage_id="frame-0001.0").items) == 2


def test_a_job_that_goes_while_it_comes_again_is_new(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer anyhow")
    sent = put(store, database, message(frame_result(), published_at=1.0), 101)
    load = job_rows._load

    def load_late(connection: sa.Connection, job_ids: list[str]) -> dict[str, Any]:
        run(database)
        return load(connection, job_ids)

    monkeypatch.setattr(job_rows, "_load", load_late)
    (stored,) = store.store([sent], ())
    assert stored.counts == {"gate": Counter(stored=1)}
    assert queries.counts_by_source(database) == {"gate": Counter(stored=1, removed=1)}


def test_one_remover_waits_for_another(database: Database, store: Store) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer anyhow")
    put(store, database, message(frame_result()), 101)
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with old_rows.removing(database):
            holding.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(10)
    with pytest.raises(OtherRemoverError), old_rows.removing(database):
        pass
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        release.set()
        thread.join(10)
        return False

    assert run(database, wait=wait)["jobs"] == 1
    assert waited[0] == 1


def test_what_the_writer_is_at_is_left_for_the_next_time(database: Database, store: Store) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer anyhow")
    held = put(store, database, message(frame_result()), 102)
    put(store, database, message(frame_result(source="yard")), 101)
    with database.write() as connection:
        connection.execute(sa.select(Jobs.job_id).where(Jobs.job_id == held.job.job_id).with_for_update())
        assert run(database, thorough=False)["jobs"] == 1
    assert run(database)["jobs"] == 1


@pytest.mark.parametrize(
    ("index", "question"),
    [
        (
            "ix_jobs_finished_at",
            lambda: sa.select(Jobs.job_id).where(old_rows.is_old_job(NOW)).order_by(Jobs.finished_at),
        ),
        ("ix_frames_kept_stored_at", lambda: sa.select(Frames.frame_id).where(old_rows.has_old_picture(NOW))),
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

"""What is old goes, and nothing else."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sightline.settings import Settings
from sightline.testing import MemoryFrameStore
from sightline.wire.events import Event
from storage.database.engine import Database
from storage.jobs.accepted import Accepted
from storage.passages.search import find_passages
from storage.results import queries
from storage.results.store import Store
from storage.retention.retention import Horizons, count_old
from storage.sinks import deliveries
from storage.sinks.outbox import Outbox, finalize_passages
from storage.sinks.sinks import add_sink, new_sink
from storage.tables import AuditLog, Deliveries, Passages, PlateRotations
from tests.integration.storage.bundles import frame_result, message
from tests.integration.storage.retention.aging import NOW, SETTINGS, count, put_aged, remove
from tests.stores import open_store


def test_what_is_old_goes_whole_and_what_is_young_stays(database: Database, store: Store) -> None:
    old = put_aged(store, database, message(frame_result(["AB12CD"]), frame_result(["AB12CD"], at_s=1)), 101)
    young = put_aged(store, database, message(frame_result(["XY98ZW"], source="yard")), 99)
    expected = Counter(jobs=1, frames=2, detections=2, readings=2, passages=1)
    assert count_old(database, MemoryFrameStore(), Horizons.from_settings(SETTINGS, NOW), NOW) == expected
    assert remove(database) == expected + Counter(plates=1)
    assert queries.get_job(database, old.job.job_id) is None
    (frame,) = queries.list_frames(database).items
    (passage,) = queries.list_passages(database).items
    assert (frame.job_id, passage.text) == (young.job.job_id, "XY98ZW")
    assert find_passages(database, "AB12CD").items == ()
    assert count(database, PlateRotations) == len("XY98ZW|")
    assert remove(database) == Counter()


def test_by_default_rows_stay_a_year_and_pictures_a_month(database: Database, store: Store) -> None:
    pictures = MemoryFrameStore()
    for days, frame_id in ((366, "frame-year"), (31, "frame-month"), (29, "frame-week")):
        put_aged(store, database, message(frame_result(frame_id=frame_id, source=frame_id)), days, (frame_id,))
        pictures.put_many({frame_id: b"x"})
    remove(database, pictures, Settings())
    kept = {frame.frame_id: frame.picture_kept for frame in queries.list_frames(database).items}
    assert kept == {"frame-month": False, "frame-week": True}
    assert pictures.pixels.keys() == {"frame-week"}


def test_zero_keeps_for_ever_and_days_by_hand_are_about_results_alone(database: Database, store: Store) -> None:
    put_aged(store, database, message(frame_result()), 3000)
    put_aged(store, database, message(frame_result(error="bad_image")), 3000)
    add_entry(database, 3000)
    never = Settings(
        keep_results_days=0, keep_pictures_days=0, keep_dead_letters_days=0, keep_audit_log_days=0, delivery_keep_s=1
    )
    assert remove(database, settings=never) == Counter()
    removed = remove(database, settings=never, days=1)
    assert (removed["frames"], removed["dead_letters"], removed["audit_log"]) == (1, 0, 0)


def test_what_was_stored_just_now_stays_whatever_is_asked_for(database: Database, store: Store) -> None:
    store.store([message(frame_result())], ())
    assert remove(database, days=0.00001) == Counter()


def test_an_open_passage_stays_until_it_is_final(database: Database, store: Store) -> None:
    put_aged(store, database, message(frame_result()), 101)
    with database.write() as connection:
        connection.execute(sa.update(Passages).values(final_at=None))
    removed = remove(database)
    assert (removed["readings"], removed["passages"], removed["plates"]) == (1, 0, 0)
    assert find_passages(database, "AB12CD").items != ()
    finalize_passages(database, timedelta(0), datetime.now(UTC) + timedelta(days=1))
    with database.write() as connection:
        connection.execute(sa.update(Passages).values(first_seen=NOW - timedelta(days=101)))
    assert remove(database, thorough=False) == Counter()
    assert remove(database) == Counter(passages=1, plates=1)


def test_a_passage_with_a_young_reading_keeps_its_name(database: Database, store: Store) -> None:
    put_aged(store, database, message(frame_result()), 101)
    put_aged(store, database, message(frame_result(at_s=2)), 1)
    removed = remove(database)
    assert (removed["frames"], removed["passages"]) == (1, 0)
    (passage,) = queries.list_passages(database).items
    assert (passage.text, passage.reading_count) == ("AB12CD", 2)


def test_a_job_that_is_noted_as_accepted_stays(database: Database, store: Store) -> None:
    sent = put_aged(store, database, message(frame_result()), 101)
    accepted = Accepted(database, None)
    accepted.keep(sent.job, {})
    assert remove(database)["jobs"] == 0
    with database.write() as connection:  # as `forget_finished`, once the publish is over
        connection.execute(sa.text("DELETE FROM accepted_jobs"))
    assert remove(database)["jobs"] == 1


def test_events_that_wait_stay_however_old(database: Database) -> None:
    add_sink(database, new_sink(sink_id="hook", url="http://127.0.0.1:9/", events=[Event.FRAME_STORED]))
    store = open_store(database, 10.0, Outbox(sinks_every_s=0))
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
    assert remove(database) == Counter(events=3)
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
    assert remove(database) == Counter(audit_log=1)
    assert count(database, AuditLog) == 1

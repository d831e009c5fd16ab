"""Events are noted once, whatever is repeated or comes in another order; and what becomes of them."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from sightline.errors import BadMessageError
from sightline.wire.events import Event
from storage.cameras import Camera, add_camera, remove_camera
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import alembic_config, upgrade
from storage.results import queries
from storage.results import store as store_module
from storage.results.store import Store
from storage.sinks import deliveries
from storage.sinks.deliveries import Failure
from storage.sinks.outbox import Outbox, finalize_passages
from storage.sinks.sinks import Sink, add_sink, disable_sink, new_sink, remove_sink, update_sink
from storage.tables import Deliveries, Passages
from tests.integration.storage.at_once import run_all
from tests.integration.storage.bundles import frame_result, message, unique
from tests.integration.storage.conftest import GAP_S
from tests.integration.storage.pictures import PROPERTY, Taken, frame, pictures, store_scattered
from tests.stores import open_store

GAP = timedelta(seconds=GAP_S)
LEASE = timedelta(seconds=30)
EVERYTHING = tuple(Event)


def sink(database: Database, sink_id: str = "hook", **fields: Any) -> Sink:
    return add_sink(database, new_sink(sink_id=sink_id, url="http://127.0.0.1:1/", **fields))


def outbox(database: Database, sink_id: str = "hook") -> list[dict[str, Any]]:
    rows = sa.select(Deliveries.__table__).where(Deliveries.sink == sink_id).order_by(Deliveries.created_at)
    with database.read() as connection:
        return [dict(row) for row in connection.execute(rows).mappings()]


def topics(database: Database, sink_id: str = "hook") -> list[str]:
    return [row["topic"] for row in outbox(database, sink_id)]


def later(seconds: float = 60) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.fixture
def store(database: Database) -> Store:
    """It hears of a sink at once."""
    return open_store(database, GAP_S, Outbox(sinks_every_s=0))


def test_without_sinks_nothing_is_noted(database: Database, store: Store) -> None:
    store.store([message(frame_result(), frame_result(error="bad_image"))], ())
    finalize_passages(database, GAP, later())
    assert outbox(database) == []


def test_a_writer_hears_of_a_sink_within_its_time(database: Database) -> None:
    store = open_store(database, GAP_S, Outbox(sinks_every_s=3600))
    store.store([message(frame_result())], ())
    sink(database)
    store.store([message(frame_result(["XY99ZZ"]))], ())
    assert outbox(database) == []


def test_what_a_passage_event_says(database: Database, store: Store) -> None:
    sink(database)
    result = frame_result(["AB 12 CD"])
    store.store([message(result)], ())
    (row,) = outbox(database)
    (passage,) = queries.list_passages(database).items
    assert row["payload"]["type"] == row["topic"] == "passage.new"
    assert datetime.fromisoformat(row["payload"]["timestamp"]) == row["created_at"]
    frame = f"/v1/frames/{result.frame.frame_id}"
    links = {"frame": frame, "picture": f"{frame}/annotated", "crop": f"/v1/passages/{passage.passage_id}/crop"}
    assert row["payload"]["data"] == passage.model_dump(mode="json") | {"links": links}


def test_a_passage_is_new_updated_when_its_text_changes_and_final_once(database: Database, store: Store) -> None:
    sink(database)
    for at_s, reading in enumerate([("A812CD", 0.6), ("AB12CD", 0.99), ("AB12CD", 0.99), ("AB12C", 0.9)]):
        store.store([message(frame_result([reading], at_s=at_s))], ())
    assert topics(database) == ["passage.new", "passage.update"]
    assert finalize_passages(database, GAP, datetime.now(UTC)) == 0
    assert finalize_passages(database, GAP, later()) == 1
    assert finalize_passages(database, GAP, later()) == 0
    assert topics(database)[2:] == ["passage.final"]
    told = [row["payload"]["data"] for row in outbox(database)]
    assert [(data["text"], data["reading_count"]) for data in told] == [("A812CD", 1), ("AB12CD", 2), ("AB12CD", 4)]
    # A late reading joins all the same, and makes no second final one.
    store.store([message(frame_result([("AB12CD", 0.9)], at_s=5))], ())
    assert finalize_passages(database, GAP, later(120)) == 0
    assert len(outbox(database)) == 3


def test_a_text_that_changes_back_is_told_too(database: Database, store: Store) -> None:
    sink(database, events=[Event.PASSAGE_UPDATE])
    for at_s, reading in enumerate([("A812CD", 0.7), ("AB12CD", 0.8), ("A812CD", 0.7), ("AB12CD", 0.8)]):
        store.store([message(frame_result([reading], at_s=at_s))], ())
    texts = [row["payload"]["data"]["text"] for row in outbox(database)]
    assert texts == ["AB12CD", "A812CD", "AB12CD"]


def test_two_passages_that_are_one_are_told_as_an_update(database: Database, store: Store) -> None:
    sink(database)
    store.store([message(frame_result(at_s=0), frame_result(at_s=18))], ())
    before = {view.passage_id for view in queries.list_passages(database).items}
    store.store([message(frame_result(at_s=9))], ())
    (survivor,) = queries.list_passages(database).items
    assert topics(database) == ["passage.new", "passage.new", "passage.update"]
    data = outbox(database)[-1]["payload"]["data"]
    assert data["passage_id"] == survivor.passage_id
    assert data["merged_passage_ids"] == list(before - {survivor.passage_id})


def test_frames_are_told_when_they_are_stored_or_dead(database: Database, store: Store) -> None:
    sink(database, events=[Event.FRAME_STORED, Event.FRAME_DEAD])
    good, bad, late = frame_result(), frame_result(error="bad_image"), frame_result(dropped="stale")
    job_id = unique("job")
    sent = message(good, bad, late, job_id=job_id, published_at=100.0)
    store.store([sent], ())
    store.store([sent], ())
    stored, dead = outbox(database)
    assert (stored["topic"], dead["topic"]) == ("frame.stored", "frame.dead")
    assert stored["payload"]["data"]["frame_id"] == good.frame.frame_id
    assert stored["payload"]["data"]["readings"][0]["text"] == "AB12CD"
    assert (dead["payload"]["data"]["reason"], dead["payload"]["data"]["job_id"]) == ("bad_image", job_id)
    (letter,) = queries.list_dead_letters(database).items
    assert dead["payload"]["data"]["links"]["letter"] == f"/v1/dead-letters/{letter.letter_id}"
    store.store([message(bad, job_id=job_id, published_at=200.0)], ())
    assert topics(database) == ["frame.stored", "frame.dead", "frame.dead"]


def test_a_sink_gets_what_it_asked_for_and_no_more(database: Database, store: Store) -> None:
    sink(database, "gate", sources=["gate"], events=[Event.PASSAGE_NEW])
    sink(database, "all", events=EVERYTHING)
    sink(database, "paused", enabled=False)
    sink(database, "gone")
    disable_sink(database, "gone", "the receiver answered 410")
    store.store([message(frame_result(), frame_result(source="yard"))], ())
    finalize_passages(database, GAP, later())
    assert [(row["topic"], row["payload"]["data"]["source_id"]) for row in outbox(database, "gate")] == [
        ("passage.new", "gate")
    ]
    assert Counter(topics(database, "all")) == {"frame.stored": 2, "passage.new": 2, "passage.final": 2}
    assert Counter(topics(database, "paused")) == {"passage.new": 2, "passage.final": 2}
    assert outbox(database, "gone") == []
    remove_sink(database, "all")
    assert outbox(database, "all") == []


def test_a_sink_hears_nothing_of_passages_before_it(database: Database, store: Store) -> None:
    store.store([message(frame_result(), frame_result(["XY99ZZ"], source="yard"))], ())
    sink(database)
    store.store([message(frame_result(at_s=1))], ())
    while finalize_passages(database, GAP, later()):
        pass
    assert [row["payload"]["data"]["source_id"] for row in outbox(database)] == ["gate"]
    with database.read() as connection:
        assert connection.scalars(sa.select(Passages.final_at).where(Passages.final_at.is_(None))).all() == []


@settings(PROPERTY, max_examples=15)
@given(pictures, st.integers(0, 1 << 32).map(random.Random))
def test_each_happens_once_in_whatever_order_and_how_often_it_comes(
    database: Database, store: Store, taken: list[Taken], chance: random.Random
) -> None:
    source, sink_id = unique("cam"), unique("hook")
    sink(database, sink_id, events=EVERYTHING, sources=[source])
    results = [frame(*plates, at_s=at_s, source=source, sequence=sequence) for plates, at_s, sequence in taken]
    store_scattered(store, results, chance)
    for _ in range(2):
        finalize_passages(database, GAP, later())

    rows = outbox(database, sink_id)
    told = {topic: [row["payload"]["data"] for row in rows if row["topic"] == topic] for topic in EVERYTHING}
    passages = {view.passage_id: view for view in queries.list_passages(database, source=source, limit=1000).items}
    assert Counter(each["frame_id"] for each in told[Event.FRAME_STORED]) == Counter(
        {result.frame.frame_id: 1 for result in results}
    )
    new = Counter(each["passage_id"] for each in told[Event.PASSAGE_NEW])
    gone = [merged for each in told[Event.PASSAGE_UPDATE] for merged in each["merged_passage_ids"]]
    assert set(new.values()) <= {1}
    assert new.keys() == passages.keys() | set(gone)
    assert not passages.keys() & set(gone)
    finals = {each["passage_id"]: each["text"] for each in told[Event.PASSAGE_FINAL]}
    assert finals == {passage_id: view.text for passage_id, view in passages.items()}
    assert len(told[Event.PASSAGE_FINAL]) == len(passages)


def test_the_same_bundle_by_several_writers_is_told_once(database: Database, store: Store) -> None:
    sink(database, events=EVERYTHING)
    sent = message(*[frame_result([f"AB{10 + number}CD"], source=f"cam{number}") for number in range(6)])
    run_all([lambda: store.store([sent], ())] * 4)
    run_all([lambda: finalize_passages(database, GAP, later())] * 4)
    assert Counter(topics(database)) == {"frame.stored": 6, "passage.new": 6, "passage.final": 6}


def test_what_is_not_stored_is_not_told(database: Database, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sink(database, events=EVERYTHING)

    def fail(*_: object) -> None:
        raise BadMessageError("no")

    monkeypatch.setattr(store_module, "settle_jobs", fail)
    with pytest.raises(BadMessageError):
        store.store([message(frame_result())], ())
    assert outbox(database) == []


def test_rows_are_taken_once_and_again_after_their_lease(database: Database, store: Store) -> None:
    sink(database)
    store.store([message(*[frame_result([f"AB{10 + n}CD"], at_s=n, source=f"cam{n}") for n in range(6)])], ())
    now = later(1)
    shares = run_all([lambda: deliveries.take_due(database, "hook", limit=2, lease=LEASE, now=now)] * 3)
    taken = [delivery for share in shares for delivery in share]
    # SKIP LOCKED may leave a taker with less while another holds the rows it looked at; never the same row twice.
    assert len({delivery.delivery_id for delivery in taken}) == len(taken)
    rest = deliveries.take_due(database, "hook", limit=9, lease=LEASE, now=now)
    assert len(taken) + len(rest) == 6
    assert deliveries.take_due(database, "hook", limit=9, lease=LEASE, now=now) == []
    assert [due for _, due in deliveries.due_sinks(database, now)] == [False]
    again = deliveries.take_due(database, "hook", limit=9, lease=LEASE, now=now + LEASE)
    assert {delivery.attempts for delivery in again} == {2}
    assert [due for _, due in deliveries.due_sinks(database, now + LEASE * 3)] == [True]


def test_a_later_event_of_a_passage_waits_for_the_earlier_one(database: Database, store: Store) -> None:
    sink(database)
    store.store([message(*[frame_result([text], source=text) for text in ("AB12CD", "EF34GH")])], ())
    now = later(GAP_S * 10)

    def take(at: datetime, limit: int = 9) -> list[tuple[str, str]]:
        nonlocal taken
        taken = deliveries.take_due(database, "hook", limit=limit, lease=LEASE, now=at)
        return [(each.topic, each.source_id) for each in taken]

    taken: list[deliveries.DueDelivery] = []
    assert take(now) == [("passage.new", "AB12CD"), ("passage.new", "EF34GH")]
    first, second = taken
    assert finalize_passages(database, GAP, now) == 2
    assert take(now) == []  # both are being sent
    failed = [Failure(first.delivery_id, "500", now + LEASE)]
    deliveries.settle(database, "hook", sent=[second.delivery_id], failed=failed, now=now)
    moment = now + timedelta(seconds=2)
    assert take(moment) == [("passage.final", "EF34GH")]
    assert take(moment) == []
    assert [due for _, due in deliveries.due_sinks(database, moment)] == [False]
    deliveries.hasten(database, "hook", moment)  # the receiver is back
    assert take(moment, 1) == [("passage.new", "AB12CD")]
    deliveries.settle(database, "hook", failed=[Failure(first.delivery_id, "500", None)], now=moment)
    assert take(moment + timedelta(seconds=2)) == [("passage.final", "AB12CD")]  # it is dead


def test_an_earlier_event_goes_first_wherever_it_was_put_off_to(database: Database, store: Store) -> None:
    """It was to be tried again at a time that is over, and others were due before."""
    sink(database)
    store.store([message(frame_result(["AB12CD"], source="gate"))], ())
    now = later(GAP_S * 10)
    (first,) = deliveries.take_due(database, "hook", limit=9, lease=LEASE, now=now)
    finalize_passages(database, GAP, now)
    deliveries.settle(database, "hook", failed=[Failure(first.delivery_id, "500", now + LEASE)], now=now)
    told = deliveries.take_due(database, "hook", limit=1, lease=LEASE, now=now + LEASE * 2)
    assert [each.topic for each in told] == ["passage.new"]


def test_what_is_cleared_once_more_later_is_not_hastened(database: Database) -> None:
    """Of a camera that was removed frames are still on their way."""
    add_sink(database, new_sink(sink_id="home", url="mqtt://127.0.0.1:1"))
    add_camera(database, Camera(camera_id="gate", url=SecretStr("rtsp://127.0.0.1/1")))
    remove_camera(database, "gate")
    now = later(5)
    (first,) = deliveries.take_due(database, "home", limit=9, lease=LEASE, now=now)
    deliveries.settle(database, "home", failed=[Failure(first.delivery_id, "away", now + LEASE)], now=now)
    deliveries.hasten(database, "home", now)  # the broker is back
    (again,) = deliveries.take_due(database, "home", limit=9, lease=LEASE, now=now)
    assert again.delivery_id == first.delivery_id
    deliveries.settle(database, "home", sent=[first.delivery_id], now=now)
    (second,) = deliveries.take_due(database, "home", limit=9, lease=LEASE, now=later(62))
    assert second.topic == first.topic


def test_rows_are_settled_counted_replayed_and_forgotten(database: Database, store: Store) -> None:
    sink(database)
    started_at = datetime.now(UTC)
    store.store([message(*[frame_result([f"AB{10 + n}CD"], at_s=n, source=f"cam{n}") for n in range(4)])], ())
    now = later(1)
    sent, retried, dead, untried = deliveries.take_due(database, "hook", limit=9, lease=LEASE, now=now)
    assert [delivery.source_id for delivery in (sent, retried, dead, untried)] == ["cam0", "cam1", "cam2", "cam3"]
    failures = [Failure(retried.delivery_id, "500", now + LEASE), Failure(dead.delivery_id, "400", None)]
    for _ in range(2):  # the answer of the database may be lost
        deliveries.settle(database, "hook", sent=[sent.delivery_id], failed=failures, untried=[untried], now=now)
    assert deliveries.count_deliveries(database)["hook"].model_dump() == {
        "pending": 2,
        "sent": 1,
        "dead": 1,
        "last_error": "400",
    }
    (due,) = deliveries.take_due(database, "hook", limit=9, lease=LEASE, now=now)
    assert due == untried
    deliveries.hasten(database, "hook", now)
    (due,) = deliveries.take_due(database, "hook", limit=9, lease=LEASE, now=now)
    assert due == retried._replace(attempts=2)

    assert deliveries.replay(database, "hook", started_at - LEASE, started_at) == 0
    assert deliveries.replay(database, "hook", started_at, now) == 2
    again = deliveries.take_due(database, "hook", limit=9, lease=LEASE, now=now)
    assert again == [sent, dead]
    deliveries.settle(database, "hook", sent=[sent.delivery_id], now=now)
    assert deliveries.count_deliveries(database)["hook"].sent == 2
    remove_sink(database, "hook")
    assert deliveries.count_deliveries(database) == {}


@pytest.mark.parametrize(
    ("events", "options"),
    [
        (["camera.health"], {"min_confidence": 0.9}),
        (["camera.health", "frame.dead"], {"zones": ["lane"]}),
        (["frame.stored"], {"lists": ["deny"]}),
        (["frame.stored"], {"picture": "crop"}),
    ],
)
def test_a_filter_that_no_event_has_is_refused(database: Database, events: list[str], options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(
        BadMessageError, match=f"options.{name}: this sink gets .*; leave it out, or let it get"
    ) as refused:
        sink(database, events=events, options=options)
    assert refused.value.field == f"options.{name}"
    sink(database, events=[*events, "passage.new"], options=options)
    with pytest.raises(BadMessageError):
        update_sink(database, "hook", events=events)


def test_a_changed_sink_is_checked_as_a_new_one(database: Database) -> None:
    sink(database)
    disable_sink(database, "hook", "the receiver answered 410")
    resumed = update_sink(database, "hook", enabled=True)
    assert (resumed.enabled, resumed.disabled_reason) == (True, None)
    with pytest.raises(BadMessageError, match="url") as caught:
        update_sink(database, "hook", url="gopher://user:hunter2@host/")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(BadMessageError, match="from webhook to mqtt"):
        update_sink(database, "hook", url="mqtt://host/")


def test_passages_of_an_older_version_count_as_final(empty_url: str) -> None:
    database = open_database(empty_url)
    with database.write() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            sa.text("INSERT INTO sources (source_id, created_at) VALUES ('gate', '2026-01-01 00:00:00')")
        )
        old = dict.fromkeys(("first_seen", "last_seen", "best_seen", "updated_at"), "2026-01-01 00:00:00")
        old |= {
            "passage_id": "p.0",
            "source_id": "gate",
            "text": "AB12CD",
            "best_frame_id": "frame-0001",
            "votes": "{}",
        }
        numbers = dict.fromkeys(("confidence", "reading_count", "best_confidence", "best_reading_index"), "1")
        names, values = zip(*(old | numbers).items(), strict=True)
        connection.execute(sa.text(f"INSERT INTO passages ({', '.join(names)}) VALUES {values}"))
    upgrade(empty_url)
    assert finalize_passages(database, GAP, later()) == 0
    with database.read() as connection:
        assert connection.scalars(sa.select(Passages.final_at)).one() is not None
    database.close()


def test_looking_for_work_uses_indexes(database: Database) -> None:
    questions = {
        "ix_deliveries_waiting": "SELECT 1 FROM deliveries WHERE sink = 'a' AND next_attempt_at <= '2026-01-01'",
        "ix_deliveries_dead": "SELECT count(*) FROM deliveries WHERE next_attempt_at IS NULL AND sent_at IS NULL",
        "ix_passages_open": "SELECT 1 FROM passages WHERE final_at IS NULL AND updated_at <= '2026-01-01'",
    }
    explain = "EXPLAIN QUERY PLAN" if database.engine.dialect.name == "sqlite" else "EXPLAIN"
    with database.read() as connection:
        if explain == "EXPLAIN":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for index, question in questions.items():
            assert index in str(connection.exec_driver_sql(f"{explain} {question}").all())

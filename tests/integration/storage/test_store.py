"""What a message becomes, and that repeating it changes nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from sightline.errors import BadMessageError
from sightline.types import JobStatus, Pipeline
from sightline.wire.messages import Message
from storage.database.engine import Database
from storage.results import queries
from storage.results.store import Store
from storage.results.views import LetterState
from storage.tables import Base, DeadLetters, Detections, Frames, Jobs, Passages, Readings, Sources
from tests.integration.storage.bundles import NOON, frame_result, message


def rows(database: Database, table: type[Base]) -> list[dict[str, Any]]:
    with database.read() as connection:
        return [dict(row) for row in connection.execute(sa.select(table.__table__)).mappings()]


def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    return {
        table.__tablename__: sorted(rows(database, table), key=str)
        for table in (Sources, Jobs, Frames, Detections, Passages, Readings, DeadLetters)
    }


def test_a_frame_becomes_rows_that_know_what_made_them(database: Database, store: Store) -> None:
    result = frame_result(["ab-12 CD"], at_s=1.25)
    store.store([message(result)], kept={result.frame.frame_id})

    (frame,) = rows(database, Frames)
    assert frame["captured_at"] == result.frame.captured_at
    assert (frame["width"], frame["height"], frame["seq"], frame["name"]) == (1280, 720, 7, "one.jpg")
    assert frame["picture_kept"] is True
    assert frame["published_at"].timestamp() == pytest.approx(1_777_000_000.123456)
    (detection,) = rows(database, Detections)
    assert (detection["x1"], detection["y1"], detection["x2"], detection["y2"]) == (10.5, 20.0, 110.0, 50.25)
    assert detection["corners"][2] == [110.0, 50.25]
    made_by = {"model": "detect-model", "model_sha256": "ab" * 32, "runtime": "onnxruntime", "worker": "detect@host"}
    assert made_by.items() <= detection.items()
    assert (detection["queue_wait_ms"], detection["inference_ms"]) == (3.5, 12.25)
    (reading,) = rows(database, Readings)
    assert (reading["text"], reading["normalized"]) == ("ab-12 CD", "AB12CD")
    assert (reading["model"], reading["worker"]) == ("ocr-model", "ocr@host")
    (passage,) = rows(database, Passages)
    assert reading["passage_id"] == passage["passage_id"]
    assert (passage["text"], passage["first_seen"], passage["reading_count"]) == ("AB12CD", result.frame.captured_at, 1)


def test_rows_know_what_a_frame_follows_and_whence_its_time(database: Database, store: Store) -> None:
    alone, live = frame_result(source="files", sequence=None), frame_result()
    said = live.frame.model_copy(update={"sequence": "live", "time_from": "camera"})
    store.store([message(alone), message(live.model_copy(update={"frame": said}))], ())
    assert {(row["sequence"], row["time_from"]) for row in rows(database, Frames)} == {(None, None), ("live", "camera")}
    assert {row["sequence"] for row in rows(database, Readings)} == {None, "live"}


def test_the_result_is_the_same_on_the_wire_and_in_the_database(database: Database, store: Store) -> None:
    good = frame_result(["AB12CD", "EF34GH"])
    said = good.frame.model_copy(update={"sequence": "live", "time_from": "camera"})
    foreign = good.readings[1].model_copy(update={"text": "", "char_confidences": (), "unread": "script"})
    good = good.model_copy(update={"frame": said, "readings": (good.readings[0], foreign)})
    bad = frame_result(error="bad_image")
    late = frame_result(dropped="too_late", source="yard")
    (stored,) = store.store([message(good, bad, late, job_id="job-mixed-1")], kept=())

    assert stored.result.status is JobStatus.DEAD
    assert stored.result.frames == (good, bad, late)
    assert queries.get_job(database, "job-mixed-1") == stored.result
    assert {one.text: one.unread for one in queries.list_readings(database).items} == {"AB12CD": None, "": "script"}
    assert stored.counts == {"gate": Counter(stored=1, dead=1), "yard": Counter({"dropped:too_late": 1})}


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([frame_result()], JobStatus.STORED),
        ([frame_result(), frame_result(dropped="too_late")], JobStatus.STORED),
        ([frame_result(dropped="too_late"), frame_result(dropped="stale")], JobStatus.DROPPED),
        ([frame_result(dropped="too_late"), frame_result(error="bad_image")], JobStatus.DEAD),
    ],
)
def test_status_of_a_job(database: Database, store: Store, results: list[Any], status: JobStatus) -> None:
    sent = message(*results)
    assert store.store([sent], ())[0].result.status is status
    job = queries.get_job(database, sent.job.job_id)
    assert job is not None
    assert job.status is status


def test_a_repetition_counts_the_same_and_writes_nothing(database: Database, store: Store) -> None:
    sent = message(frame_result(), frame_result(error="bad_image"), frame_result(dropped="too_late"))
    first = store.store([sent], ())
    before = everything(database)
    assert store.store([sent], ()) == first
    assert store.store([sent, sent], ()) == first * 2
    assert everything(database) == before


def test_a_later_publish_counts_as_repeated(database: Database, store: Store) -> None:
    result = frame_result()
    store.store([message(result, job_id="job-twice-1", published_at=100.0)], ())
    before = everything(database)
    again = message(result, job_id="job-twice-1", published_at=101.0)
    for _ in range(2):  # its own repetition too
        (stored,) = store.store([again], ())
        assert stored.counts == {"gate": Counter(repeated=1)}
    after = everything(database)
    assert {name: after[name] for name in after if name != "jobs"} == {
        name: before[name] for name in before if name != "jobs"
    }
    # A straggler of the first publish can no longer tell; it stays harmless.
    (stored,) = store.store([message(result, job_id="job-twice-1", published_at=100.0)], ())
    assert stored.counts == {"gate": Counter(repeated=1)}
    assert everything(database) == after


def test_a_frame_in_two_jobs_is_stored_once(database: Database, store: Store) -> None:
    result = frame_result()
    first, second = message(result), message(result)
    together = store.store([first, second], ())
    assert sorted(outcome for stored in together for outcome in stored.counts["gate"]) == ["repeated", "stored"]
    assert len(rows(database, Frames)) == len(rows(database, Readings)) == 1
    assert rows(database, Passages)[0]["reading_count"] == 1
    for sent in (first, second):
        job = queries.get_job(database, sent.job.job_id)
        assert job is not None
        assert job.frames == (result,)
        assert job.status is JobStatus.STORED


def test_a_frame_named_twice_in_a_job_is_stored_once(database: Database, store: Store) -> None:
    result = frame_result()
    sent = message(result, result)
    assert store.store([sent], ())[0].counts == {"gate": Counter(stored=1, repeated=1)}
    assert store.store([sent], ())[0].counts == {"gate": Counter(stored=1, repeated=1)}
    assert len(rows(database, Frames)) == 1


def test_the_first_outcome_of_a_publish_stands(database: Database, store: Store) -> None:
    """A late duplicate finds the pixels gone; the frame is stored all the same."""
    result = frame_result()
    sent = message(result)
    store.store([sent], ())
    lost = Message(
        job=sent.job, results=(result.model_copy(update={"error": frame_result(error="frame_missing").error}),)
    )
    (stored,) = store.store([lost], ())
    assert stored.counts == {"gate": Counter(stored=1)}
    assert stored.result.frames == (result,)
    assert rows(database, DeadLetters) == []


def test_a_stored_frame_cannot_die_later(database: Database, store: Store) -> None:
    result = frame_result()
    store.store([message(result, job_id="job-again-1", published_at=100.0)], ())
    lost = frame_result(error="frame_missing", frame_id=result.frame.frame_id)
    (stored,) = store.store([message(lost, job_id="job-again-1", published_at=200.0)], ())
    assert stored.counts == {"gate": Counter(repeated=1)}
    assert stored.result.status is JobStatus.STORED
    assert rows(database, DeadLetters) == []


def test_a_dead_frame_can_be_replayed(database: Database, store: Store) -> None:
    good, bad = frame_result(), frame_result(error="model_unavailable", at_s=1)
    job_id = "job-replay-1"
    store.store([message(good, bad, job_id=job_id, published_at=100.0)], ())
    (again,) = store.store([message(bad, job_id=job_id, published_at=200.0)], ())
    assert again.counts == {"gate": Counter(dead=1)}
    (letter,) = rows(database, DeadLetters)
    assert letter["times"] == 2
    (view,) = queries.list_dead_letters(database).items
    assert (view.frame, view.reason, view.stored_since) == (bad.frame, "model_unavailable", False)

    healed = frame_result(frame_id=bad.frame.frame_id, at_s=1)
    (stored,) = store.store([message(healed, job_id=job_id, published_at=300.0)], ())
    assert stored.counts == {"gate": Counter(stored=1)}
    assert stored.result.status is JobStatus.STORED
    assert stored.result.frames == (good, healed)
    assert queries.get_job(database, job_id) == stored.result
    assert queries.list_dead_letters(database).items == ()
    (view,) = queries.list_dead_letters(database, ended=True).items
    assert (view.stored_since, view.state) == (True, LetterState.STORED)
    # Three publishes with four frames: two stored, two dead.
    assert queries.counts_by_source(database) == {"gate": Counter(stored=2, dead=2)}


def test_readings_of_other_pipelines_make_no_passages(database: Database, store: Store) -> None:
    store.store([message(frame_result(["AB12CD"]), pipeline=Pipeline.TEXT)], ())
    assert rows(database, Passages) == []
    assert rows(database, Readings)[0]["passage_id"] is None


def test_a_frame_with_nothing_on_it_is_stored_with_its_stages(database: Database, store: Store) -> None:
    empty = frame_result([])
    store.store([message(empty)], ())
    assert queries.get_frame(database, empty.frame.frame_id) == empty


def test_times_in_other_zones_are_the_same_instants(database: Database, store: Store) -> None:
    from datetime import timedelta, timezone

    result = frame_result()
    tokyo = result.frame.captured_at.astimezone(timezone(timedelta(hours=9)))
    moved = result.model_copy(update={"frame": result.frame.model_copy(update={"captured_at": tokyo})})
    store.store([message(moved)], ())
    (frame,) = rows(database, Frames)
    assert frame["captured_at"] == NOON
    assert frame["captured_at"].utcoffset() == timedelta(0)


@pytest.mark.parametrize("year", [1, 9999])
def test_the_ends_of_the_calendar_can_be_stored(database: Database, store: Store, year: int) -> None:
    from datetime import datetime, timedelta, timezone

    zone = timezone(timedelta(hours=14 if year == 1 else -14))
    edge = datetime(1, 1, 1, tzinfo=zone) if year == 1 else datetime(9999, 12, 31, 23, 59, tzinfo=zone)
    result = frame_result()
    moved = result.model_copy(update={"frame": result.frame.model_copy(update={"captured_at": edge})})
    (stored,) = store.store([message(moved)], ())
    assert stored.counts == {"gate": Counter(stored=1)}


def test_nul_characters_do_not_stop_the_writer(database: Database, store: Store) -> None:
    result = frame_result(["AB\x0012CD"])
    named = result.model_copy(update={"frame": result.frame.model_copy(update={"name": "a\x00b.jpg"})})
    store.store([message(named)], ())
    assert rows(database, Frames)[0]["name"] == "a\ufffdb.jpg"


@pytest.mark.parametrize("damage", [{"class_id": 2**70}, {"track_id": -(2**70)}])
def test_one_bad_bundle_fails_the_group_and_then_alone(
    database: Database, store: Store, damage: dict[str, Any]
) -> None:
    good, result = message(frame_result()), frame_result()
    broken = result.model_copy(update={"detections": (result.detections[0].model_copy(update=damage),)})
    bad = message(broken)
    with pytest.raises(BadMessageError):
        store.store([good, bad], ())
    assert all(not found for found in everything(database).values())
    with pytest.raises(BadMessageError):
        store.store([bad], ())
    assert store.store([good], ())[0].counts == {"gate": Counter(stored=1)}


def test_a_message_without_results_is_refused(store: Store) -> None:
    sent = message(frame_result())
    with pytest.raises(BadMessageError, match="went through no stage"):
        store.store([Message(job=sent.job)], ())


def test_nothing_to_store(database: Database, store: Store) -> None:
    assert store.store([], ()) == []

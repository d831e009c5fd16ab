"""Lists page by page, filters and single look-ups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from sightline.errors import BadMessageError
from sightline.types import JobStatus, Pipeline
from storage.database.engine import Database
from storage.database.paging import Page, encode_cursor
from storage.results import queries
from storage.results.dead_letters import bury_message
from storage.results.explanations import Verdict
from storage.results.store import Store
from tests.integration.storage.bundles import NOON, frame_result, message

PLATES = ["AB12CD", "AB99XY", "CD12CD", "ZZ1000"]
LISTS: list[Callable[..., Page[Any]]] = [
    queries.list_passages,
    queries.list_detections,
    queries.list_readings,
    queries.list_frames,
    queries.list_jobs,
    queries.list_dead_letters,
]


def pages(ask: Callable[..., Page[Any]], database: Database, **arguments: Any) -> list[Any]:
    found: list[Any] = []
    cursor = None
    while True:
        page = ask(database, cursor=cursor, **arguments)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.fixture
def filled(database: Database, store: Store) -> Database:
    """Four plates 100 s apart on two sources, two frames of the same moment each, and one dead letter per plate."""
    for number, plate in enumerate(PLATES):
        at_s, source = number * 100, ["gate", "yard"][number % 2]
        results = [frame_result([plate, "hi"], at_s=at_s, source=source) for _ in range(2)]
        dead = frame_result(error="bad_image", at_s=at_s, source=source)
        store.store([message(*results, dead)], kept={results[0].frame.frame_id} if number < 2 else ())
    return database


def test_pages_hold_every_row_once_newest_first(filled: Database) -> None:
    for ask, size in zip(LISTS, [4, 16, 16, 8, 4, 4], strict=True):
        everything = ask(filled, limit=1000)
        assert everything.next_cursor is None
        assert len(everything.items) == size
        for limit in (1, 2, 3):
            assert len(ask(filled, limit=limit).items) == limit
            assert pages(ask, filled, limit=limit) == list(everything.items)


def test_rows_that_arrive_meanwhile_shift_no_page(filled: Database, store: Store) -> None:
    everything = [ask(filled).items for ask in LISTS]
    first = [ask(filled, limit=2) for ask in LISTS]
    store.store([message(frame_result(["NEW123"], at_s=9000), frame_result(error="bad_image", at_s=9000))], ())
    for ask, before, page in zip(LISTS, everything, first, strict=True):
        assert page.items + ask(filled, cursor=page.next_cursor).items == before


def test_of_one_source(filled: Database) -> None:
    for ask in LISTS:
        assert len(ask(filled, source="gate").items) * 2 == len(ask(filled).items)
        assert ask(filled, source="nowhere").items == ()


def test_since_is_included_and_until_is_not(filled: Database) -> None:
    second, third = NOON + timedelta(seconds=100), NOON + timedelta(seconds=200)
    for ask in LISTS[:4]:
        found = ask(filled, since=second, until=third).items
        assert found
        assert {getattr(item, "captured_at", None) or item.first_seen for item in found} == {second}
        assert len(ask(filled, since=second).items) == 3 * len(found)


BAD_ARGUMENTS: list[dict[str, Any]] = [
    {"limit": 0},
    {"limit": 1001},
    {"cursor": ""},
    {"cursor": "!"},
    {"cursor": encode_cursor([NOON])},
    {"cursor": encode_cursor([NOON, 5, "x", 1])},
    {"cursor": encode_cursor([NOON, 2**80])},
    {"since": datetime(2026, 5, 1)},
    {"until": datetime(2026, 5, 1)},
]


def test_bad_arguments_are_named(database: Database) -> None:
    for ask in LISTS:
        for arguments in BAD_ARGUMENTS:
            with pytest.raises(BadMessageError) as caught:
                ask(database, **arguments)
            assert [caught.value.field] == list(arguments)


SEARCHES: list[tuple[str, set[str]]] = [
    ("AB12CD", {"AB12CD"}),
    ("ab-12 cd", {"AB12CD"}),
    ("AB*", {"AB12CD", "AB99XY"}),
    ("*12*", {"AB12CD", "CD12CD"}),
    ("??12CD", {"AB12CD", "CD12CD"}),
    ("?B12CD", {"AB12CD"}),
    ("?12CD", set()),
    ("AB", set()),
    ("*", set(PLATES)),
    ("%", set()),
    ("______", set()),
    ("AB12C_", set()),
    ("", set()),
    ("' OR 1=1 --", set()),
]


def test_search_by_text(filled: Database) -> None:
    for text, plates in SEARCHES:
        assert {view.text for view in queries.list_passages(filled, text=text).items} == plates, text
        assert {view.text for view in queries.list_readings(filled, text=text).items} - {"hi"} == plates, text


@pytest.mark.parametrize("text", ["äb-12 çd", "ÄB12*", "?B12ÇD"])
def test_letters_with_marks_find_plates_by_their_letters(filled: Database, text: str) -> None:
    assert [view.text for view in queries.list_passages(filled, text=text).items] == ["AB12CD"]


def test_search_with_text_and_cursor(filled: Database) -> None:
    assert [view.text for view in pages(queries.list_passages, filled, text="*12*", limit=1)] == ["CD12CD", "AB12CD"]


def test_nul_in_a_search_finds_nothing_or_is_refused(filled: Database) -> None:
    assert queries.list_passages(filled, text="\x00").items == ()
    with suppress(BadMessageError):
        assert queries.list_detections(filled, label="a\x00b").items == ()


def test_other_filters(filled: Database, store: Store) -> None:
    store.store([message(frame_result(dropped="too_late"))], ())
    assert len(queries.list_detections(filled, label="plate").items) == 16
    assert queries.list_detections(filled, label="car").items == ()
    assert len(queries.list_jobs(filled, status=JobStatus.DEAD).items) == 4
    (dropped,) = queries.list_jobs(filled, status=JobStatus.DROPPED).items
    assert (dropped.outcomes, dropped.frame_count, dropped.pipeline) == ({"dropped:too_late": 1}, 1, Pipeline.PLATES)
    assert len(queries.list_dead_letters(filled, reason="bad_image").items) == 4
    assert queries.list_dead_letters(filled, reason="other").items == ()


def test_jobs_of_a_source_are_found_whatever_became_of_its_frames(filled: Database, store: Store) -> None:
    dead = message(frame_result(error="bad_image", source="o"))
    dropped = message(frame_result(dropped="too_late", source="o"))
    mixed = message(frame_result(["AB12CD"], source="p"), frame_result(dropped="too_late", source="q"))
    for sent in (dead, dropped, mixed):
        store.store([sent], ())

    def found(source: str, status: JobStatus | None = None) -> set[str]:
        return {job.job_id for job in queries.list_jobs(filled, source=source, status=status).items}

    assert found("o", JobStatus.DEAD) == {dead.job.job_id}
    assert found("o", JobStatus.DROPPED) == {dropped.job.job_id}
    assert found("o") == {dead.job.job_id, dropped.job.job_id}
    assert found("p") == found("q", JobStatus.STORED) == {mixed.job.job_id}
    assert found("too_late") == found("o%") == set()


def test_views_tell_what_the_rows_tell(database: Database, store: Store) -> None:
    result = frame_result(["ab-12 CD"], sequence=None)
    sent = message(result)
    store.store([sent], kept={result.frame.frame_id})
    (detection,) = queries.list_detections(database).items
    assert (detection.xyxy, detection.corners) == (result.detections[0].xyxy, result.detections[0].corners)
    assert (detection.model, detection.inference_ms) == ("detect-model", 12.25)
    (reading,) = queries.list_readings(database).items
    assert (reading.text, reading.char_confidences) == ("ab-12 CD", (0.9,) * 8)
    (frame,) = queries.list_frames(database).items
    assert (frame.job_id, frame.stages, frame.picture_kept) == (sent.job.job_id, result.stages, True)
    (passage,) = queries.list_passages(database).items
    assert passage.model_dump_json()
    assert passage.confidence == pytest.approx(0.9)


def test_single_look_ups(filled: Database) -> None:
    frame = queries.list_frames(filled, limit=1).items[0]
    found = queries.get_frame(filled, frame.frame_id)
    assert found is not None
    assert [reading.text for reading in found.readings] == ["ZZ1000", "hi"]
    letter = queries.list_dead_letters(filled, limit=1).items[0]
    assert letter.frame is not None
    dead = queries.get_frame(filled, letter.frame.frame_id)
    assert dead is not None
    assert dead.error is not None
    assert dead.error.reason == "bad_image"
    for ask in (queries.get_frame, queries.get_job, queries.get_passage, queries.latest_frame):
        assert ask(filled, "unknown-id") is None


def test_a_frame_is_explained_by_the_passage_it_is_part_of(database: Database, store: Store) -> None:
    misread = frame_result([("A812CD", 0.6), "TAXI"], at_s=2)
    store.store([message(frame_result(at_s=0), frame_result(at_s=1), misread)], kept=())
    explanation = queries.explain_frame(database, misread.frame.frame_id)
    assert explanation is not None
    assert explanation.plate == "AB12CD"
    first, second = explanation.candidates
    assert (first.verdict, first.passage_text) == (Verdict.VOTED_OUT, "AB12CD")
    assert first.why == "3 readings of this passage voted AB12CD"
    assert (second.verdict, second.passage_id) == (Verdict.NOT_A_PLATE, None)
    assert queries.explain_frame(database, "frame-none") is None
    dead = frame_result(error="bad_image")
    store.store([message(dead)], kept=())
    explained = queries.explain_frame(database, dead.frame.frame_id)
    assert explained is not None
    assert explained.why == "dead, bad_image in stage detect: it is bad_image"


def test_latest_frame_is_the_newest_with_a_picture(filled: Database) -> None:
    gate = queries.latest_frame(filled, "gate")
    assert gate is not None
    assert gate.captured_at == NOON  # the newer ones at the gate kept no picture
    assert gate.picture_kept


def test_counts_by_source(filled: Database) -> None:
    expected = Counter(stored=4, dead=2)
    assert queries.counts_by_source(filled) == {"gate": expected, "yard": expected}


def test_a_message_of_no_known_shape_is_listed_too(database: Database) -> None:
    letter = {"stage": "detect", "reason": "bad_message", "message": "v: 2\x00\ud800", "payload": {"v": 2}}
    for _ in range(2):
        bury_message(database, letter)
    (view,) = queries.list_dead_letters(database).items
    assert (view.frame, view.pipeline, view.payload, view.reason) == (None, None, {"v": 2}, "bad_message")
    assert queries.get_frame(database, view.job_id) is None

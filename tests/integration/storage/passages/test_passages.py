"""Passages in the database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storage.database.engine import Database
from storage.results import queries
from storage.results.store import Store
from tests.integration.storage.bundles import NOON, frame_result, message


def seen(database: Database, source: str) -> list[tuple[str, float, float, int]]:
    """Text, first and last seen in seconds after noon, number of readings."""
    views = queries.list_passages(database, source=source, limit=1000).items
    return sorted(
        (v.text, (v.first_seen - NOON).total_seconds(), (v.last_seen - NOON).total_seconds(), v.reading_count)
        for v in views
    )


def test_one_car_is_one_passage(database: Database, store: Store) -> None:
    for at_s, text in enumerate(["AB12CD", "A812CD", "AB12C", "AB12CD"]):
        store.store([message(frame_result([(text, 0.9)], at_s=at_s))], ())
    assert seen(database, "gate") == [("AB12CD", 0, 3, 4)]
    (passage,) = queries.list_passages(database).items
    readings = queries.list_readings(database, passage_id=passage.passage_id).items
    assert [reading.text for reading in readings] == ["AB12CD", "AB12C", "A812CD", "AB12CD"]
    assert queries.get_passage(database, passage.passage_id) == passage


def test_two_cars_in_one_picture_are_two(database: Database, store: Store) -> None:
    for at_s in range(3):
        store.store([message(frame_result(["AB12CD", "XY99ZZ"], at_s=at_s))], ())
    assert seen(database, "gate") == [("AB12CD", 0, 2, 3), ("XY99ZZ", 0, 2, 3)]


def test_the_same_plate_elsewhere_or_later_is_another_passage(database: Database, store: Store) -> None:
    store.store([message(frame_result(at_s=0), frame_result(at_s=0, source="yard"), frame_result(at_s=10.5))], ())
    assert seen(database, "gate") == [("AB12CD", 0, 0, 1), ("AB12CD", 10.5, 10.5, 1)]
    assert seen(database, "yard") == [("AB12CD", 0, 0, 1)]


def test_a_late_reading_merges_two_passages(database: Database, store: Store) -> None:
    store.store([message(frame_result(at_s=0), frame_result(at_s=18))], ())
    before = {view.passage_id for view in queries.list_passages(database).items}
    assert len(before) == 2
    store.store([message(frame_result(at_s=9))], ())
    (merged,) = queries.list_passages(database).items
    assert merged.passage_id in before
    assert (merged.reading_count, merged.last_seen - merged.first_seen) == (3, timedelta(seconds=18))
    readings = queries.list_readings(database).items
    assert {reading.passage_id for reading in readings} == {merged.passage_id}


def test_a_passage_keeps_its_id_while_it_grows(database: Database, store: Store) -> None:
    ids: set[str] = set()
    for at_s in (5, 3, 9, 0):
        store.store([message(frame_result(at_s=at_s))], ())
        ids |= {view.passage_id for view in queries.list_passages(database).items}
    assert len(ids) == 1


def test_the_surest_picture_is_the_best(database: Database, store: Store) -> None:
    best = frame_result([("AB12CD", 0.99)], at_s=1)
    store.store([message(frame_result(at_s=0), best, frame_result(at_s=2))], ())
    (passage,) = queries.list_passages(database).items
    assert passage.best_frame_id == best.frame.frame_id
    assert passage.best_xyxy == best.detections[0].xyxy


def test_a_reading_without_detection_has_no_box(database: Database, store: Store) -> None:
    store.store([message(frame_result(detections=0))], ())
    assert queries.list_passages(database).items[0].best_xyxy is None


@pytest.mark.parametrize("step_s", [0.5, 30.0])
def test_many_sources_and_times_in_one_bundle(database: Database, store: Store, step_s: float) -> None:
    results = [frame_result(at_s=index * step_s, source=f"cam{index % 5}") for index in range(60)]
    store.store([message(*results)], ())
    expected = 5 if step_s == 0.5 else 60
    assert len(queries.list_passages(database).items) == expected

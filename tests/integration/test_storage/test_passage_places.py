"""Places, contests and parked vehicles: however the frames arrive, the passages are the same."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.types import Detection, FrameResult, Reading, Xyxy
from storage import known_vehicles, queries
from storage.database import Database
from storage.places import Direction, is_same_box
from storage.store import Store
from storage.views import PassageState
from tests.integration.test_storage.bundles import NOON, frame_result, message, unique
from tests.integration.test_storage.conftest import GAP_S
from tests.integration.test_storage.test_passages import in_bundles, passages, seen

PARKED_S = 60.0
LEFT: Xyxy = (100.0, 400.0, 200.0, 425.0)
RIGHT: Xyxy = (900.0, 400.0, 1000.0, 425.0)


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database, GAP_S, parked_gap_s=PARKED_S)


def frame(*plates: tuple[str, Xyxy], at_s: float, source: str = "gate", frame_id: str | None = None) -> FrameResult:
    """A frame with these texts in these boxes."""
    result = frame_result([], at_s=at_s, source=source, frame_id=frame_id)
    return result.model_copy(
        update={
            "detections": tuple(Detection(xyxy=box, label="plate", class_id=0, confidence=0.9) for _, box in plates),
            "readings": tuple(
                Reading(text=text, confidence=0.9, char_confidences=(0.9,) * len(text), detection_index=index)
                for index, (text, _) in enumerate(plates)
            ),
        }
    )


def moved(box: Xyxy, x: float, y: float = 0.0, growth: float = 1.0) -> Xyxy:
    left, top, right, bottom = box
    return (left + x, top + y, left + x + (right - left) * growth, top + y + (bottom - top) * growth)


boxes = st.sampled_from([LEFT, moved(LEFT, 4, 2), moved(LEFT, 260), RIGHT, moved(RIGHT, -5), moved(RIGHT, 0, 200, 1.5)])
texts = st.sampled_from(["AB12CD", "AB12CE", "A812CD", "AB12CDE", "XY99ZZ"])
frames = st.lists(
    st.tuples(
        st.lists(st.tuples(texts, boxes), min_size=1, max_size=3),
        st.sampled_from([0, 0.2, 1, 2, 5, 8, 16, 24, 27, 60, 75, 90, 140, 200]),
    ),
    min_size=2,
    max_size=10,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames, st.randoms(use_true_random=False), st.lists(st.integers(0, 20), max_size=6), st.data())
def test_order_repetition_and_division_do_not_matter(
    database: Database,
    store: Store,
    taken: list[tuple[list[tuple[str, Xyxy]], float]],
    chance: random.Random,
    cuts: list[int],
    data: st.DataObject,
) -> None:
    at_once, scattered = unique("once"), unique("scattered")

    def results(source: str) -> list[FrameResult]:
        return [
            frame(*plates, at_s=at_s, source=source, frame_id=f"{source.replace('-', '')}-{index:08d}")
            for index, (plates, at_s) in enumerate(taken)
        ]

    store.store([message(*results(at_once))], ())
    shuffled = results(scattered)
    chance.shuffle(shuffled)
    bundles = in_bundles(shuffled, cuts)
    bundles += data.draw(st.lists(st.sampled_from(bundles), max_size=2))
    chance.shuffle(bundles)
    for start in range(0, len(bundles), group := data.draw(st.integers(1, 3))):
        store.store(bundles[start : start + group], ())

    assert passages(database, scattered) == passages(database, at_once)
    assert members(database, scattered) == members(database, at_once)
    never_two_plates_of_a_frame(database, scattered)


def members(database: Database, source: str) -> set[frozenset[str]]:
    """Which readings are together."""
    found: dict[str | None, set[str]] = defaultdict(set)
    for view in queries.list_readings(database, source=source, limit=1000).items:
        found[view.passage_id].add(f"{view.frame_id.split('-', 1)[1]}.{view.reading_index}")
    return {frozenset(each) for each in found.values()}


def never_two_plates_of_a_frame(database: Database, source: str) -> None:
    there: dict[tuple[str | None, str], list[Xyxy]] = defaultdict(list)
    detections = {
        (view.frame_id, view.detection_index): view.xyxy
        for view in queries.list_detections(database, source=source, limit=1000).items
    }
    for view in queries.list_readings(database, source=source, limit=1000).items:
        box = detections[view.frame_id, view.detection_index or 0]
        for other in there[view.passage_id, view.frame_id]:
            assert is_same_box(box, other)
        there[view.passage_id, view.frame_id].append(box)


def test_two_cars_with_similar_plates_side_by_side_stay_two(database: Database, store: Store) -> None:
    for number in range(6):
        cars = [("AB12CD", moved(LEFT, number * 20)), ("AB12CE", moved(RIGHT, number * 20))]
        # Now and then one is not read, or is read as the other one.
        plates = [cars[0]] if number == 2 else [(cars[0][0], cars[1][1])] if number == 4 else cars
        store.store([message(frame(*plates, at_s=number * 0.2))], ())
    assert seen(database, "gate") == [("AB12CD", 0, 1, 5), ("AB12CE", 0, 1, 5)]


def test_the_same_text_twice_in_one_frame_is_two_plates(database: Database, store: Store) -> None:
    store.store([message(frame(("AB12CD", LEFT), ("AB12CD", RIGHT), at_s=number)) for number in range(3)], ())
    assert seen(database, "gate") == [("AB12CD", 0, 2, 3), ("AB12CD", 0, 2, 3)]


def test_one_plate_found_twice_in_one_frame_is_one(database: Database, store: Store) -> None:
    store.store([message(frame(("AB12CD", LEFT), ("AB12CO", moved(LEFT, 3)), at_s=0))], ())
    assert seen(database, "gate") == [("AB12CD", 0, 0, 2)]


def test_a_similar_plate_far_away_at_the_same_time_is_another(database: Database, store: Store) -> None:
    store.store([message(frame(("AB12CD", LEFT), at_s=0), frame(("AB12CE", RIGHT), at_s=0.1))], ())
    assert [passage[0] for passage in seen(database, "gate")] == ["AB12CD", "AB12CE"]


def test_a_misread_on_the_way_stays_with_its_car(database: Database, store: Store) -> None:
    for number, text in enumerate(["AB12CD", "AB12CD", "A812CE", "AB12CD"]):
        store.store([message(frame((text, moved(LEFT, number * 250)), at_s=number * 0.2))], ())
    assert seen(database, "gate") == [("AB12CD", 0, pytest.approx(0.6), 4)]


def test_two_known_passages_that_met_are_not_merged_by_a_third_reading(database: Database, store: Store) -> None:
    store.store([message(frame(("AB12CD", LEFT), ("AB12CD", RIGHT), at_s=0))], ())
    store.store([message(frame(("AB12CD", moved(LEFT, 30)), at_s=0.2))], ())
    assert sorted(passage[3] for passage in seen(database, "gate")) == [1, 2]


def test_a_parked_car_is_one_passage(database: Database, store: Store) -> None:
    for minute in range(20):
        for at_s in (0, 1.5):
            jitter = moved(LEFT, (minute % 3) - 1, minute % 2)
            text = "A812CD" if minute % 7 == 3 else "AB12CD"
            store.store([message(frame((text, jitter), at_s=minute * 50 + at_s))], ())
    assert seen(database, "gate") == [("AB12CD", 0, 951.5, 40)]
    store.store([message(frame(("AB12CD", LEFT), at_s=951.5 + PARKED_S + 5))], ())
    assert len(seen(database, "gate")) == 2


def test_a_car_that_comes_again_is_another_passage(database: Database, store: Store) -> None:
    for start_s in (0, 40):
        for number in range(5):
            place = moved(LEFT, number * 130 + start_s / 2, number * 20)
            store.store([message(frame(("AB12CD", place), at_s=start_s + number * 0.5))], ())
    assert [passage[3] for passage in seen(database, "gate")] == [5, 5]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (moved(LEFT, 0, 100, 2.0), Direction.APPROACHING),
        (moved(LEFT, 0, -50, 0.6), Direction.RECEDING),
        (moved(LEFT, 300), Direction.RIGHT),
        (moved(LEFT, -300), Direction.LEFT),
        (moved(LEFT, 5), Direction.UNKNOWN),
    ],
)
def test_direction_follows_from_the_movement_of_the_box(
    database: Database, store: Store, last: Xyxy, expected: Direction
) -> None:
    results = [frame(("AB12CD", last), at_s=1.2), frame(("AB12CD", LEFT), at_s=0)]
    for result in results:
        store.store([message(result)], ())
    (passage,) = queries.list_passages(database).items
    assert (passage.direction, passage.state) == (expected, PassageState.OPEN)


def test_the_best_crop_is_sure_sharp_and_large(database: Database, store: Store) -> None:
    large = (100.0, 300.0, 260.0, 340.0)
    wanted = frame(("AB12CD", large), at_s=1)
    blurred, small = frame(("AB12CD", large), at_s=2), frame(("AB12CD", LEFT), at_s=0)

    def with_sharpness(result: FrameResult, sharpness: float) -> FrameResult:
        sharp = result.readings[0].model_copy(update={"sharpness": sharpness})
        return result.model_copy(update={"readings": (sharp,)})

    sent = [with_sharpness(wanted, 800), with_sharpness(blurred, 30), with_sharpness(small, 900)]
    store.store([message(*sent)], ())
    (passage,) = queries.list_passages(database).items
    assert passage.best_frame_id == wanted.frame.frame_id
    stored = queries.get_frame(database, wanted.frame.frame_id)
    assert stored is not None
    assert stored.readings[0].sharpness == 800


def test_what_comes_late_goes_back_so_far_and_no_further(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_vehicles, "MAX_AGAIN", 8)
    for number in range(12, 0, -1):
        store.store([message(frame(("AB12CD", LEFT), ("AB12CE", RIGHT), at_s=number))], ())
    assert seen(database, "gate") == [("AB12CD", 1, 12, 12), ("AB12CE", 1, 12, 12)]


def test_times_at_the_ends_of_the_calendar(database: Database, store: Store) -> None:
    far = frame(("AB12CD", LEFT), at_s=0)
    early = far.frame.model_copy(update={"captured_at": NOON.replace(year=1) + timedelta(seconds=1)})
    store.store([message(far.model_copy(update={"frame": early}))], ())
    assert len(queries.list_passages(database).items) == 1

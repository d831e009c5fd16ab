"""Places and parked vehicles in the database."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from sightline.types import FrameResult, Xyxy
from storage.database.engine import Database
from storage.passages import runs
from storage.passages.views import PassageState
from storage.plates.geometry import Direction
from storage.results import queries
from storage.results.store import Store
from storage.tables import Readings
from tests.integration.storage.bundles import NOON, message
from tests.integration.storage.conftest import GAP_S
from tests.integration.storage.passages.test_passages import seen
from tests.integration.storage.pictures import LEFT, MIDDLE, RIGHT, frame, moved
from tests.stores import open_store

PARKED_S = 60.0


@pytest.fixture
def store(database: Database) -> Store:
    return open_store(database, GAP_S, parked_gap_s=PARKED_S)


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
        (moved(MIDDLE, 0, 100, 2.0), Direction.APPROACHING),
        (moved(MIDDLE, 0, -50, 0.6), Direction.RECEDING),
        (moved(MIDDLE, 300), Direction.RIGHT),
        (moved(MIDDLE, -300), Direction.LEFT),
        (moved(MIDDLE, 5), Direction.UNKNOWN),
    ],
)
def test_direction_follows_from_the_movement_of_the_box(
    database: Database, store: Store, last: Xyxy, expected: Direction
) -> None:
    results = [frame(("AB12CD", last), at_s=1.2), frame(("AB12CD", MIDDLE), at_s=0)]
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
    monkeypatch.setattr(runs, "MAX_AGAIN", 8)
    for number in range(12, 0, -1):
        store.store([message(frame(("AB12CD", LEFT), ("AB12CE", RIGHT), at_s=number))], ())
    assert seen(database, "gate") == [("AB12CD", 1, 12, 12), ("AB12CE", 1, 12, 12)]


def test_times_at_the_ends_of_the_calendar(database: Database, store: Store) -> None:
    far = frame(("AB12CD", LEFT), at_s=0)
    early = far.frame.model_copy(update={"captured_at": NOON.replace(year=1) + timedelta(seconds=1)})
    store.store([message(far.model_copy(update={"frame": early}))], ())
    assert len(queries.list_passages(database).items) == 1


def test_a_passage_of_before_that_would_not_be_founded_any_more_stays(database: Database, store: Store) -> None:
    """An earlier version made passages of readings that tell of no vehicle now; a late picture finds them again."""
    store.store([message(frame(("AB12CD", LEFT), at_s=1))], ())
    with database.write() as connection:
        hopeless = {"confidence": 0.5, "char_confidences": [0.1] * 6}
        connection.execute(sa.update(Readings).values(hopeless))
    store.store([message(frame(("XY99ZZ", RIGHT), at_s=0))], ())
    assert seen(database, "gate") == [("AB12CD", 1, 1, 1), ("XY99ZZ", 0, 0, 1)]

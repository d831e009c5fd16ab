"""However the frames arrive, the passages are the same; and so many plates are so many passages."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.types import FrameResult
from storage.database.engine import Database
from storage.results import queries
from storage.results.store import Store
from tests.integration.storage.bundles import message, unique
from tests.integration.storage.conftest import GAP_S
from tests.integration.storage.pictures import (
    LEFT,
    PROPERTY,
    Plate,
    Taken,
    frame,
    members,
    moved,
    never_two_plates_of_a_frame,
    passages,
    pictures,
    store_scattered,
)
from tests.stores import open_store

PARKED_S = 60.0
#: Characters of which none is drawn like another one. Some are confused all the same: 8 and B, 5 and S, 2 and Z.
UNLIKE = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"

fleets = st.lists(st.text(UNLIKE, min_size=6, max_size=7), min_size=2, max_size=7, unique=True)
chances = st.integers(0, 1 << 32).map(random.Random)


@pytest.fixture
def store(database: Database) -> Store:
    return open_store(database, GAP_S, parked_gap_s=PARKED_S)


@settings(PROPERTY, max_examples=40)
@given(pictures, chances)
def test_order_repetition_and_division_do_not_matter(
    database: Database,
    store: Store,
    taken: list[Taken],
    chance: random.Random,
) -> None:
    at_once, scattered = unique("once"), unique("scattered")

    def results(source: str) -> list[FrameResult]:
        return [
            frame(*each, at_s=at_s, source=source, sequence=sequence, frame_id=f"{source.replace('-', '')}-{index:08d}")
            for index, (each, at_s, sequence) in enumerate(taken)
        ]

    store.store([message(*results(at_once))], ())
    store_scattered(store, results(scattered), chance)
    assert members(database, scattered) == members(database, at_once)
    assert passages(database, scattered) == passages(database, at_once)
    never_two_plates_of_a_frame(database, scattered)


@settings(PROPERTY, max_examples=25)
@given(fleets, st.sampled_from([0.0, 0.5, 3.0, 60.0]), st.floats(0.98, 1), chances)
def test_so_many_plates_on_photos_are_so_many_passages(
    database: Database, store: Store, fleet: list[str], apart_s: float, sure: float, chance: random.Random
) -> None:
    """Each is on two photos. Photos have no order: neither time nor place says anything."""
    source = unique("photos")
    plates: list[Plate] = [(text, moved(LEFT, chance.randint(0, 900)), sure) for text in fleet for _ in range(2)]
    results = [
        frame(plate, at_s=number // 2 * apart_s, source=source, sequence=None) for number, plate in enumerate(plates)
    ]
    store_scattered(store, results, chance)
    assert found(database, source) == sorted((text, 2) for text in fleet)


@settings(PROPERTY, max_examples=12)
@given(fleets, st.floats(1.5, 9), st.integers(60, 200), st.floats(0.98, 1), chances)
def test_so_many_plates_that_pass_a_camera_are_so_many_passages(
    database: Database,
    store: Store,
    fleet: list[str],
    apart_s: float,
    pixels: int,
    sure: float,
    chance: random.Random,
) -> None:
    """One behind the other on the same way, four pictures a second, five of each."""
    source = unique("camera")
    results = [
        frame((text, moved(LEFT, step * pixels), sure), at_s=number * apart_s + step * 0.25, source=source)
        for number, text in enumerate(fleet)
        for step in range(5)
    ]
    store_scattered(store, results, chance)
    assert found(database, source) == sorted((text, 5) for text in fleet)


@settings(PROPERTY, max_examples=25)
@given(fleets, st.floats(0.98, 1), chances)
def test_so_many_plates_side_by_side_are_so_many_passages(
    database: Database, store: Store, fleet: list[str], sure: float, chance: random.Random
) -> None:
    source = unique("lanes")
    results = [
        frame(
            *[(text, moved(LEFT, lane * 150, step * 20), sure) for lane, text in enumerate(fleet)],
            at_s=step * 0.25,
            source=source,
        )
        for step in range(4)
    ]
    store_scattered(store, results, chance)
    assert found(database, source) == sorted((text, 4) for text in fleet)


@pytest.mark.parametrize("apart_s", [0.0, 0.1, 20.0])
def test_unrelated_photos_give_a_passage_each_and_none_is_invented(
    database: Database, store: Store, apart_s: float
) -> None:
    chance = random.Random(1)
    fleet = sorted({"".join(chance.choices(UNLIKE, k=7)) for _ in range(40)})
    fleet += [text[:-1] + ("X" if text[-1] != "X" else "K") for text in fleet]  # half of them nearly another one
    results = [frame((text, LEFT, 0.99), at_s=at * apart_s, sequence=None) for at, text in enumerate(fleet)]
    store_scattered(store, results, chance)
    assert found(database, "gate") == sorted((text, 1) for text in fleet)


def found(database: Database, source: str) -> list[tuple[str, int]]:
    """Plates and how often they were read."""
    views = queries.list_passages(database, source=source, limit=1000).items
    return sorted((view.text, view.reading_count) for view in views)

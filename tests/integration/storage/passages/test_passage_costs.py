"""What a picture costs the database does not grow with how many others are of its time. SQLite counts its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from sightline.types import FrameResult
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import upgrade
from storage.results import queries
from storage.results.store import Store
from tests.integration.storage.bundles import message
from tests.integration.storage.conftest import GAP_S
from tests.integration.storage.pictures import LEFT, frame, moved
from tests.stores import open_store

MANY = 2000
MORE_AT_MOST = 1.5


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'counted.sqlite3'}"
    upgrade(url)
    opened = open_database(url)
    yield opened
    opened.close()


@pytest.fixture
def steps(database: Database) -> Callable[[], int]:
    """So many steps SQLite's machine has made."""
    made = 0

    def step() -> None:
        nonlocal made
        made += 1

    @event.listens_for(database.engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.set_progress_handler(step, 1)

    return lambda: made


def plate(number: int) -> str:
    """Each another one, look-alikes taken for equal."""
    return "K" + "".join("ACDEFHJKLM"[int(digit)] for digit in f"{number:04}") + "47"


def photo(number: int, *, at_s: float = 0.0) -> FrameResult:
    return frame((plate(number), LEFT, 0.99), at_s=at_s, sequence=None)


def cost(store: Store, results: Sequence[FrameResult], steps: Callable[[], int]) -> float:
    """Steps for each, one message each."""
    before = steps()
    for result in results:
        store.store([message(result)], ())
    return (steps() - before) / len(results)


def store_all(store: Store, results: Sequence[FrameResult]) -> None:
    for start in range(0, len(results), 50):
        store.store([message(*results[start : start + 50])], ())


def test_the_last_photo_of_a_moment_costs_what_the_first_does(database: Database, steps: Callable[[], int]) -> None:
    store = open_store(database, GAP_S, parked_gap_s=60)
    cost(store, [photo(0)], steps)  # opens the connection, prepares statements
    first = cost(store, [photo(number) for number in range(1, 11)], steps)
    store_all(store, [photo(number) for number in range(11, MANY)])
    last = cost(store, [photo(number) for number in range(MANY, MANY + 10)], steps)
    assert 0 < last <= MORE_AT_MOST * first
    with database.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM passages")) == MANY + 10
    assert len(queries.list_passages(database, text=plate(MANY)).items) == 1


def test_a_film_costs_the_same_at_its_end(database: Database, steps: Callable[[], int]) -> None:
    """A vehicle each five seconds, four pictures of each."""
    store = open_store(database, GAP_S, parked_gap_s=60)

    def pictures(vehicles: range) -> list[FrameResult]:
        return [
            frame((plate(number), moved(LEFT, step * 80), 0.99), at_s=number * 5 + step / 4)
            for number in vehicles
            for step in range(4)
        ]

    cost(store, pictures(range(10)), steps)
    first = cost(store, pictures(range(10, 15)), steps)
    store_all(store, pictures(range(15, MANY // 4)))
    last = cost(store, pictures(range(MANY // 4, MANY // 4 + 5)), steps)
    assert 0 < last <= MORE_AT_MOST * first


def test_a_vehicle_that_stands_for_hours_costs_the_same_at_the_end(
    database: Database, steps: Callable[[], int]
) -> None:
    store = open_store(database, GAP_S, parked_gap_s=60)

    def pictures(numbers: range) -> list[FrameResult]:
        return [frame((plate(0), moved(LEFT, number % 3), 0.99), at_s=number * 5) for number in numbers]

    cost(store, pictures(range(20)), steps)
    first = cost(store, pictures(range(20, 30)), steps)
    store_all(store, pictures(range(30, MANY)))
    last = cost(store, pictures(range(MANY, MANY + 10)), steps)
    assert 0 < last <= MORE_AT_MOST * first
    assert [view.reading_count for view in queries.list_passages(database).items] == [MANY + 10]

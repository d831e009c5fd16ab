"""What every runner promises, batcher or engine; and what an engine that batches by itself is given."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from sightline.errors import JobCancelledError
from sightline.types import Lane
from workers.batching.batcher import Batcher
from workers.batching.engine import EngineRunner
from workers.batching.runner import Runner
from workers.housekeeping.liveness import Liveness

Open = Callable[[Callable[[int], int]], Runner[int, int]]


@pytest.fixture(params=["batcher", "engine", "engine that answers at once"])
def open_runner(request: pytest.FixtureRequest) -> Iterator[Open]:
    pool = ThreadPoolExecutor(4)

    def batcher(work: Callable[[int], int]) -> Runner[int, int]:
        return Batcher(lambda items: [work(item) for item in items], max_batch_size=4, max_wait_ms=0, name="it")

    def engine(work: Callable[[int], int]) -> Runner[int, int]:
        return EngineRunner(lambda item: pool.submit(work, item), max_in_engine=4, name="it")

    def at_once(work: Callable[[int], int]) -> Runner[int, int]:
        return EngineRunner(lambda item: ended(lambda: work(item)), max_in_engine=4, name="it")

    yield {"batcher": batcher, "engine": engine}.get(request.param, at_once)
    pool.shutdown()


def ended(work: Callable[[], int]) -> Future[int]:
    future = Future[int]()
    try:
        future.set_result(work())
    except ValueError as error:
        future.set_exception(error)
    return future


def test_results_are_those_of_the_items_in_their_order(open_runner: Open) -> None:
    runner = open_runner(lambda item: item * 2)
    assert [ticket.result(5).value for ticket in runner.submit(range(2000))] == [item * 2 for item in range(2000)]
    assert runner.close(5)
    assert (runner.stats.items, runner.stats.failed, runner.stats.waiting, runner.busy_since) == (2000, 0, 0, None)


def test_an_item_that_fails_fails_alone(open_runner: Open) -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    runner = open_runner(work)
    tickets = runner.submit(range(6))
    with pytest.raises(ValueError, match="three"):
        tickets[3].result(5)
    assert [ticket.result(5).value for ticket in tickets if ticket.item != 3] == [0, 1, 2, 4, 5]
    assert runner.close(5)
    assert runner.stats.failed == 1


def test_it_ends_with_what_it_had_and_takes_no_more(open_runner: Open) -> None:
    runner = open_runner(lambda item: item)
    tickets = runner.submit(range(20))
    assert runner.close(5)
    assert all(ticket.result(0).value == ticket.item for ticket in tickets)
    with pytest.raises(RuntimeError, match="closed"):
        runner.submit([1])


class StubEngine:
    """Works on what it is given until it is told to answer."""

    def __init__(self) -> None:
        self.given: list[tuple[int, Future[int]]] = []
        self.given_one = threading.Condition()

    def begin(self, item: int) -> Future[int]:
        if item < 0:
            raise ValueError("negative")
        with self.given_one:
            self.given.append((item, Future()))
            self.given_one.notify_all()
            return self.given[-1][1]

    @property
    def items(self) -> list[int]:
        return [item for item, _ in self.given]

    def answer(self, number: int) -> None:
        self.given[number][1].set_result(self.given[number][0])


def test_an_engine_that_batches_by_itself_is_given_single_items_as_it_has_places() -> None:
    engine = StubEngine()
    runner = EngineRunner(engine.begin, max_in_engine=3, name="chat")
    tickets = runner.submit([1, 2, 3, 4, 5])
    assert engine.items == [1, 2, 3]  # at once, not as a batch: none waits for another
    assert (runner.stats.in_engine, runner.stats.waiting) == (3, 2)
    engine.answer(1)
    assert tickets[1].result(0).value == 2  # the others are still in the works
    assert engine.items == [1, 2, 3, 4]


def test_the_next_place_is_that_of_the_highest_lane() -> None:
    engine = StubEngine()
    runner = EngineRunner(engine.begin, max_in_engine=1, name="chat")
    runner.submit([1, 2])
    runner.submit([3], Lane.LIVE)
    runner.submit([4], Lane.INTERACTIVE)
    for number in range(3):
        engine.answer(number)
    assert engine.items == [1, 4, 3, 2]


def test_bulk_has_few_places_beside_other_lanes_and_all_when_they_are_gone_for_a_while() -> None:
    engine, now = StubEngine(), [100.0]
    runner = EngineRunner(engine.begin, max_in_engine=4, name="chat", bulk_beside=1, clock=lambda: now[0])
    runner.submit([1, 2])
    runner.submit([3], Lane.INTERACTIVE)
    runner.submit([4, 5, 6])
    assert engine.items == [1, 2, 3]  # what is in it stays
    engine.answer(0)
    assert engine.items == [1, 2, 3]
    engine.answer(1)
    engine.answer(2)
    assert engine.items == [1, 2, 3, 4]  # the next may come any moment
    now[0] += 6
    engine.answer(3)
    assert engine.items == [1, 2, 3, 4, 5, 6]


def test_an_engine_full_of_bulk_that_gives_way_has_all_places_for_others() -> None:
    engine = StubEngine()
    runner = EngineRunner(engine.begin, max_in_engine=2, name="chat", bulk_beside=1, bulk_gives_way=True)
    runner.submit([1, 2, 3])
    runner.submit([4, 5, 6], Lane.INTERACTIVE)
    assert engine.items == [1, 2, 4, 5]
    engine.answer(2)
    assert engine.items == [1, 2, 4, 5, 6]
    assert runner.stats.in_engine == 4


def test_what_stands_in_line_may_be_withdrawn() -> None:
    engine = StubEngine()
    runner = EngineRunner(engine.begin, max_in_engine=1, name="chat")
    tickets = runner.submit([1, 2, 3])
    runner.withdraw(tickets[:2])
    runner.withdraw(tickets[:2])
    with pytest.raises(JobCancelledError):
        tickets[1].result(0)
    engine.answer(0)
    assert engine.items == [1, 3]
    assert tickets[0].result(0).value == 1
    assert (runner.stats.waiting, runner.stats.items, runner.stats.failed) == (0, 2, 1)


def test_what_the_engine_refuses_takes_no_place() -> None:
    engine = StubEngine()
    runner = EngineRunner(engine.begin, max_in_engine=1, name="chat")
    refused, taken = runner.submit([-1, 7])
    with pytest.raises(ValueError, match="negative"):
        refused.result(0)
    engine.answer(0)
    assert taken.result(0).value == 7


def test_an_engine_hangs_when_nothing_advances_and_not_because_an_answer_is_long() -> None:
    engine = StubEngine()
    runner = EngineRunner(engine.begin, max_in_engine=1, name="chat")
    said: list[str] = []
    services: Any = None
    liveness = Liveness(
        services, services, (), lambda: [runner], model_timeout_s=60, stall_timeout_s=60, end_process=said.append
    )
    runner.submit([1])
    runner._advanced_at -= 61  # pyright: ignore[reportPrivateUsage]
    liveness.check()
    assert said == ["a call in 'chat' takes longer than 60 s"]
    runner.advanced()
    assert runner.busy_since is not None
    assert time.monotonic() - runner.busy_since < 60

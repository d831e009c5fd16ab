"""Batcher: same length and order, batch because busy, isolation, exact accounting under concurrency."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from sightline.types import Lane
from workers.batching.batcher import Batcher, Ticket


@contextmanager
def batcher(
    process: Any, *, max_batch_size: int = 4, max_wait_ms: float = 0, calls_at_once: int = 1
) -> Iterator[Batcher[int, int]]:
    it: Batcher[int, int] = Batcher(
        process, max_batch_size=max_batch_size, max_wait_ms=max_wait_ms, name="test", calls_at_once=calls_at_once
    )
    try:
        yield it
    finally:
        assert it.close(timeout_s=10)


def values(tickets: Sequence[Ticket[int, int]]) -> list[int]:
    return [ticket.result(timeout_s=10).value for ticket in tickets]


class Gate:
    """A process that reports its batches and waits to be let through."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.passes = threading.Semaphore(0)

    def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        self.entered.release()
        assert self.passes.acquire(timeout=10)
        return [item * 2 for item in items]


def test_results_have_the_length_and_order_of_the_items():
    with batcher(lambda items: [item * 2 for item in items]) as it:
        assert values(it.submit(range(11))) == [item * 2 for item in range(11)]
        assert it.submit([]) == []


def test_an_idle_batcher_answers_at_once_and_a_busy_one_batches():
    gate = Gate()
    with batcher(gate) as it:
        first = it.submit([0])
        assert gate.entered.acquire(timeout=10)
        rest = [ticket for item in range(1, 7) for ticket in it.submit([item])]
        gate.passes.release(3)
        assert values(first + rest) == [item * 2 for item in range(7)]
        assert gate.batches == [[0], [1, 2, 3, 4], [5, 6]]
        assert [ticket.result().batch_size for ticket in rest] == [4, 4, 4, 4, 2, 2]
    assert it.stats.flushed == {"idle": 2, "full": 1}
    assert it.stats.sizes == {1: 1, 4: 1, 2: 1}


def test_the_time_of_all_calls_is_added_up_those_that_fail_too(monkeypatch: pytest.MonkeyPatch):
    clock = iter(range(0, 1000, 10))

    def process(items: list[int]) -> list[int]:
        if 3 in items:
            raise ValueError("bad")
        return items

    with batcher(process, max_batch_size=1) as it:
        before = it.stats
        with monkeypatch.context() as patched:
            patched.setattr("workers.batching.batcher.time.monotonic", lambda: next(clock))
            ticket, bad = it.submit([1])[0], it.submit([3])[0]
            assert ticket.result(timeout_s=10).inference_ms == 10_000
            with pytest.raises(ValueError, match="bad"):
                bad.result(timeout_s=10)
    assert (before.busy_s, it.stats.busy_s) == (0, 20)


def test_max_wait_tops_up_a_batch():
    with batcher(lambda items: items, max_batch_size=2, max_wait_ms=60_000) as it:
        slow = it.submit([1])
        with pytest.raises(TimeoutError):
            slow[0].result(timeout_s=0.01)
        assert [ticket.result(10).batch_size for ticket in slow + it.submit([2])] == [2, 2]
    assert it.stats.flushed == {"full": 1}


def test_max_wait_ends():
    with batcher(lambda items: items, max_wait_ms=20) as it:
        (ticket,) = it.submit([1])
        assert ticket.result(10).wait_ms >= 19
    assert it.stats.flushed == {"timeout": 1}


def test_an_exception_in_place_of_a_result_fails_that_item_only():
    with batcher(lambda items: [ValueError(item) if item == 1 else item for item in items]) as it:
        tickets = it.submit([0, 1, 2])
        assert values([tickets[0], tickets[2]]) == [0, 2]
        with pytest.raises(ValueError, match="1"):
            tickets[1].result(10)
    assert (it.stats.failed, it.stats.isolated, it.stats.items) == (1, 0, 3)


@pytest.mark.parametrize("error", [ValueError, MemoryError, SystemExit])
def test_one_bad_item_does_not_fail_its_batch_mates(error: type[BaseException]):
    def process(items: list[int]) -> list[int]:
        if 2 in items:
            raise error("two")
        return items

    with batcher(process) as it:
        tickets = it.submit([1, 2, 3, 4])
        assert values([tickets[0], tickets[2], tickets[3]]) == [1, 3, 4]
        with pytest.raises(error, match="two"):
            tickets[1].result(10)
        assert tickets[0].result().batch_size == 1
    assert (it.stats.failed, it.stats.isolated, it.stats.items, it.stats.batches) == (1, 4, 4, 1)


def test_the_wrong_number_of_results_is_an_error():
    with (
        batcher(lambda items: [*items, 0]) as it,
        pytest.raises(RuntimeError, match="2 results for 1 items"),
    ):
        it.submit([1])[0].result(10)


def test_close_drains_and_refuses():
    gate = Gate()
    with batcher(gate, max_wait_ms=60_000, max_batch_size=2) as it:
        tickets = it.submit([1, 2, 3])
        assert gate.entered.acquire(timeout=10)
        closing = threading.Thread(target=it.close)
        closing.start()
        gate.passes.release(2)
        assert values(tickets) == [2, 4, 6]
        closing.join(10)
        with pytest.raises(RuntimeError, match="closed"):
            it.submit([4])


def test_close_gives_up_after_its_timeout():
    gate = Gate()
    with batcher(gate) as it:
        it.submit([1])
        assert it.close(timeout_s=0.05) is False
        gate.passes.release()


def test_calls_side_by_side_share_what_waits():
    gate = Gate()
    with batcher(gate, max_batch_size=8, calls_at_once=2) as it:
        while it._idle < 2:
            time.sleep(0.01)
        first = it.submit(range(6))
        assert gate.entered.acquire(timeout=10)
        assert gate.entered.acquire(timeout=10)  # both run, none waits for the other
        assert sorted(map(len, gate.batches)) == [3, 3]
        rest = it.submit(range(6, 16))
        gate.passes.release(1)
        assert gate.entered.acquire(timeout=10)
        assert len(gate.batches[2]) == 8  # the other is busy: as much as may run at once
        gate.passes.release(9)
        assert values(first + rest) == [item * 2 for item in range(16)]


def test_a_watchdog_sees_the_longest_of_the_calls():
    gate = Gate()
    with batcher(gate, max_batch_size=1, calls_at_once=2) as it:
        before = time.monotonic()
        (first,) = it.submit([1])
        assert gate.entered.acquire(timeout=10)
        between = time.monotonic()
        (second,) = it.submit([2])
        assert gate.entered.acquire(timeout=10)
        assert it.busy_since is not None
        assert before <= it.busy_since <= between
        gate.passes.release(2)
        first.result(10)
        second.result(10)
        assert it.busy_since is None


def test_busy_since_shows_a_running_call():
    gate = Gate()
    with batcher(gate) as it:
        assert it.busy_since is None
        before = time.monotonic()
        (ticket,) = it.submit([1])
        assert gate.entered.acquire(timeout=10)
        assert it.busy_since is not None
        assert before <= it.busy_since <= time.monotonic()
        gate.passes.release()
        ticket.result(10)
        assert it.busy_since is None


def test_inference_time_is_shared_by_the_batch(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def process(items: list[int]) -> list[int]:
        now[0] += 0.02 * len(items)
        return items

    with batcher(process) as it:
        tickets = it.submit([1, 2, 3, 4])
        assert [ticket.result(10).inference_ms for ticket in tickets] == pytest.approx([20] * 4)


@pytest.mark.parametrize(("size", "wait_ms"), [(0, 0), (1, -1)])
def test_senseless_knobs_are_refused(size: int, wait_ms: float):
    with pytest.raises(ValueError, match="expected"):
        Batcher(lambda items: items, max_batch_size=size, max_wait_ms=wait_ms, name="test")


def test_exact_accounting_under_concurrency():
    """Many threads, some items bad, some batches raise: every item has one outcome, its own."""
    seen: list[int] = []

    def process(items: list[int]) -> list[int | Exception]:
        assert 1 <= len(items) <= 8
        if any(item % 97 == 0 for item in items):
            raise ValueError(items)
        seen.extend(items)
        return [KeyError(item) if item % 31 == 0 else -item for item in items]

    threads, per_thread = 8, 500
    outcomes: dict[int, Ticket[int, int]] = {}

    def submit(first: int, it: Batcher[int, int]) -> None:
        chance = random.Random(first)
        items = list(range(first, first + per_thread))
        while items:
            count = chance.randint(1, 12)
            part, items = items[:count], items[count:]
            outcomes.update(zip(part, it.submit(part), strict=True))

    with batcher(process, max_batch_size=8) as it:
        workers = [threading.Thread(target=submit, args=(1 + n * per_thread, it)) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    total = threads * per_thread
    assert sorted(outcomes) == list(range(1, total + 1))
    for item, ticket in outcomes.items():
        if item % 97 == 0:
            with pytest.raises(ValueError):
                ticket.result(0)
        elif item % 31 == 0:
            with pytest.raises(KeyError, match=f"^{item}$"):
                ticket.result(0)
        else:
            assert ticket.result(0).value == -item
    good = [item for item in range(1, total + 1) if item % 97]
    assert sorted(seen) == good  # each ran successfully exactly once
    stats = it.stats
    assert stats.items == total
    assert stats.batches == sum(stats.flushed.values()) == sum(stats.sizes.values())
    assert stats.failed == total - len([item for item in good if item % 31])
    assert stats.waiting == 0


def test_a_live_item_is_in_the_next_batch_however_much_bulk_waits():
    gate = Gate()
    with batcher(gate) as it:
        first = it.submit([0])
        assert gate.entered.acquire(timeout=10)
        bulk = it.submit(range(100, 120), Lane.BULK)
        live = it.submit([1], Lane.LIVE) + it.submit([2], Lane.INTERACTIVE)
        gate.passes.release(100)
        values(first + bulk + live)
    # bulk fills the places that the others leave, and what was asked for comes back to whoever asked
    assert gate.batches[:3] == [[0], [2, 1, 100, 101], [102, 103, 104, 105]]
    assert values(live) == [2, 4]


def test_bulk_has_its_share_of_batches_that_live_would_fill():
    gate = Gate()
    with batcher(gate, max_batch_size=16) as it:
        first = it.submit([0])
        assert gate.entered.acquire(timeout=10)
        live, bulk = it.submit([1] * 160, Lane.LIVE), it.submit([2] * 160, Lane.BULK)
        gate.passes.release(100)
        values(first + live + bulk)
        assert it.stats.waiting == 0
    assert [batch.count(2) for batch in gate.batches[1:10]] == [2] * 9


def test_items_may_be_of_different_size():
    gate = Gate()
    it: Batcher[int, int] = Batcher(gate, max_batch_size=8, max_wait_ms=0, name="test", size_of=lambda item: item)
    tickets = it.submit([1])
    assert gate.entered.acquire(timeout=10)
    tickets += it.submit([20, 4, 3, 2, 1], Lane.BULK) + it.submit([5], Lane.LIVE)
    assert it.stats.waiting == 6
    gate.passes.release(100)
    values(tickets)
    assert gate.batches == [[1], [5], [20], [4, 3], [2, 1]]  # never more than 8 at once, but for one that is alone
    assert it.close(timeout_s=10)


def test_close_drains_every_lane():
    gate = Gate()
    it: Batcher[int, int] = Batcher(gate, max_batch_size=4, max_wait_ms=0, name="test")
    tickets = [ticket for lane in Lane for ticket in it.submit([1] * 5, lane)]
    gate.passes.release(100)
    assert it.close(timeout_s=10)
    assert values(tickets) == [2] * 15


@pytest.mark.parametrize("lanes", [[Lane.BULK, Lane.LIVE], [Lane.BULK] * 4], ids=["a higher lane", "half of all"])
def test_bulk_alone_keeps_its_pace_until_there_is_a_reason(lanes: list[Lane]) -> None:
    batches: list[list[int]] = []

    def process(items: list[int]) -> list[int]:
        batches.append(sorted(items))
        return items

    it: Batcher[int, int] = Batcher(
        process, max_batch_size=64, max_wait_ms=0, name="test", pace_ms=600_000, in_hand=lambda: 8
    )
    values(it.submit([0]))  # the first waits for nothing
    tickets = [ticket for number, lane in enumerate(lanes) for ticket in it.submit([number], lane)]
    assert sorted(values(tickets)) == list(range(len(lanes)))
    assert batches == [[0], list(range(len(lanes)))]
    values(it.submit([9], Lane.INTERACTIVE))
    last = it.submit([10])
    assert it.close(timeout_s=10)
    assert values(last) == [10]


def test_the_pace_ends() -> None:
    it: Batcher[int, int] = Batcher(
        lambda items: items, max_batch_size=64, max_wait_ms=0, name="test", pace_ms=20, in_hand=lambda: 8
    )
    assert [values(it.submit([number])) for number in range(3)] == [[0], [1], [2]]
    assert it.close(timeout_s=10)

"""Batch because busy: a thread that, the moment it is free, takes all that waits.

While a model runs, more items arrive; together they are the next batch. An idle model therefore answers at once and
a busy one batches by itself. `max_wait_ms` only tops up a batch that could have been larger. Items of higher lanes go
first; bulk gets the places that they leave, and a share where they leave none.

The contract in one sentence: results have the same length and order as the items.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

from sightline.celery.fairness import LANES, Turns
from sightline.types import Lane

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Why a batch was started: `full` (max_batch_size waited), `idle` (took all there was), `timeout` (max_wait_ms over).
FlushReason = Literal["full", "idle", "timeout"]


class Batched(NamedTuple, Generic[Result]):
    """A result and how its batch went."""

    value: Result
    batch_size: int  #: items in the batch it ran in
    inference_ms: float  #: this item's share of its batch
    wait_ms: float  #: from submit to the start of the batch


@dataclass(frozen=True)
class BatcherStats:
    """Counters since the start, taken at one moment. Only batches that ended count."""

    batches: int
    items: int
    failed: int  #: items whose ticket got an exception
    isolated: int  #: items run alone because their batch raised
    waiting: int  #: items not yet taken
    flushed: dict[FlushReason, int]
    sizes: dict[int, int]  #: batches by number of items
    busy_s: float  #: time in calls of `process`, of all threads together


class Ticket(Generic[Item, Result]):
    """What `submit` gives for an item. Tickets of one call share a condition: a model call ends the wait for many."""

    __slots__ = ("_changed", "_outcome", "item", "size", "submitted_at")

    def __init__(self, item: Item, size: int, submitted_at: float, changed: threading.Condition) -> None:
        self.item = item
        self.size = size
        self.submitted_at = submitted_at
        self._changed = changed
        self._outcome: Batched[Result] | BaseException | None = None

    def result(self, timeout_s: float | None = None) -> Batched[Result]:
        """Wait for the result; raises what became of the item, or TimeoutError."""
        if self._outcome is None:
            with self._changed:
                self._changed.wait_for(lambda: self._outcome is not None, timeout_s)
        if self._outcome is None:
            raise TimeoutError(f"no result after {timeout_s} s")
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    @staticmethod
    def settle(outcomes: Sequence[tuple[Ticket[Item, Result], Batched[Result] | BaseException]]) -> None:
        """Say what became of items, then wake whoever waits for any of them."""
        for ticket, outcome in outcomes:
            ticket._outcome = outcome
        for changed in {ticket._changed for ticket, _ in outcomes}:
            with changed:
                changed.notify_all()


class Batcher(Generic[Item, Result]):
    """Runs `process` on batches in threads of its own. `submit` may be called from any thread.

    `process` gets 1..max_batch_size items and returns as many results, in order; a result that is an exception fails
    that item alone. If `process` raises, each item of the batch is run once more alone, so that one bad item cannot
    fail the others; whoever raises again gets that exception.
    """

    def __init__(
        self,
        process: Callable[[list[Item]], Sequence[Result | Exception]],
        *,
        max_batch_size: int,
        max_wait_ms: float,
        name: str,
        size_of: Callable[[Item], int] = lambda _: 1,
        calls_at_once: int = 1,
        pace_ms: float = 0.0,
        in_hand: Callable[[], int] = lambda: 0,
    ) -> None:
        """`size_of` says how much of `max_batch_size` an item takes; one that takes more than all of it runs alone.

        So many calls of `process` may run at once: what waits is shared among the threads that are idle.

        Where each batch has a price of its own, `pace_ms` is the time from one batch to the next of bulk alone. It ends
        early when half of what is `in_hand` waits: all items that may come from now on, and those that wait.
        """
        if max_batch_size < 1 or max_wait_ms < 0:
            raise ValueError(f"max_batch_size >= 1 and max_wait_ms >= 0 expected, got {max_batch_size}, {max_wait_ms}")
        self.name = name
        self._process = process
        self._max_batch_size = max_batch_size
        self._max_wait_s = max_wait_ms / 1000
        self._pace_s = pace_ms / 1000
        self._in_hand = in_hand
        self._size_of = size_of
        self._waiting = {lane: deque[Ticket[Item, Result]]() for lane in LANES}
        self._size = 0  #: of all that waits, in all lanes
        self._turns = Turns()
        self._changed = threading.Condition()
        self._closed = False
        self._idle = 0  #: threads that wait for items
        self._busy_since: dict[int, float] = {}  #: by thread
        self._began_at = float("-inf")  #: the last batch
        self._flushed: Counter[FlushReason] = Counter()
        self._sizes: Counter[int] = Counter()
        self._failed = 0
        self._isolated = 0
        self._spent_s: defaultdict[int, float] = defaultdict(float)  #: in `process`, by thread
        # A daemon: a wedged model must not keep the process from ending. `close` is the orderly end.
        self._threads = [
            threading.Thread(target=self._run, name=f"batcher-{name}", daemon=True) for _ in range(calls_at_once)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, items: Sequence[Item], lane: Lane = Lane.BULK) -> list[Ticket[Item, Result]]:
        """Queue items; returns one ticket per item, in order.

        Items of higher lanes are in the next batch, those of lower ones fill it up; `sightline.celery.fairness` says
        which share lower lanes have where higher ones alone would fill every batch.

        Raises:
            RuntimeError: the batcher is closed.
        """
        now, changed = time.monotonic(), threading.Condition(threading.Lock())
        tickets = [Ticket[Item, Result](item, self._size_of(item), now, changed) for item in items]
        with self._changed:
            if self._closed:
                raise RuntimeError(f"batcher {self.name!r} is closed")
            self._waiting[lane].extend(tickets)
            self._size += sum(ticket.size for ticket in tickets)
            self._changed.notify_all()
        return tickets

    @property
    def busy_since(self) -> float | None:
        """`time.monotonic()` at the start of the longest running call of `process`; None while idle. For a watchdog."""
        return min(self._busy_since.copy().values(), default=None)

    @property
    def stats(self) -> BatcherStats:
        with self._changed:
            return BatcherStats(
                batches=self._sizes.total(),
                items=sum(size * count for size, count in self._sizes.items()),
                failed=self._failed,
                isolated=self._isolated,
                waiting=sum(map(len, self._waiting.values())),
                flushed=dict(self._flushed),
                sizes=dict(self._sizes),
                busy_s=sum(self._spent_s.copy().values()),
            )

    def close(self, timeout_s: float | None = None) -> bool:
        """Refuse new items, finish those that wait, end the threads. False if that took longer than `timeout_s`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        until = None if timeout_s is None else time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(None if until is None else max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while taken := self._take():
            batch, reason = taken
            failed, isolated = self._finish(batch)
            with self._changed:
                self._flushed[reason] += 1
                self._sizes[len(batch)] += 1
                self._failed += failed
                self._isolated += isolated
            del batch, taken  # do not hold pictures while waiting for the next batch

    def _take(self) -> tuple[list[Ticket[Item, Result]], FlushReason] | None:
        """Wait for items and take a batch; None when closed and empty."""
        with self._changed:
            while True:
                self._idle += 1
                self._changed.wait_for(lambda: self._size or self._closed)
                self._idle -= 1
                if not self._size:
                    return None
                self._keep_pace()
                reason = self._top_up()
                if self._size:  # another thread may have taken all meanwhile
                    return self._next_batch(), reason

    def _next_batch(self) -> list[Ticket[Item, Result]]:
        """As much as may run at once, each time the oldest item of the lane whose turn it is."""
        batch: list[Ticket[Item, Result]] = []
        room = min(self._max_batch_size, math.ceil(self._size / (1 + self._idle)))
        while self._size:
            lane = next(lane for lane in self._turns.order() if self._waiting[lane])
            size = self._waiting[lane][0].size
            if batch and size > room:
                break
            self._turns.took(lane)
            batch.append(self._waiting[lane].popleft())
            self._size -= size
            room -= size
        return batch

    def _keep_pace(self) -> None:
        left_s = self._began_at + self._pace_s - time.monotonic()
        if self._pace_s and left_s > 0:
            self._changed.wait_for(lambda: not self._may_wait(), timeout=left_s)

    def _may_wait(self) -> bool:
        if self._closed or self._is_full() or any(self._waiting[lane] for lane in LANES if lane is not Lane.BULK):
            return False
        return 2 * len(self._waiting[Lane.BULK]) < self._in_hand()

    def _is_full(self) -> bool:
        return self._size >= self._max_batch_size

    def _top_up(self) -> FlushReason:
        if not self._is_full() and self._max_wait_s and not self._closed:
            oldest = min(waiting[0].submitted_at for waiting in self._waiting.values() if waiting)
            left_s = oldest + self._max_wait_s - time.monotonic()
            if not self._changed.wait_for(lambda: self._is_full() or self._closed, timeout=max(0.0, left_s)):
                return "timeout"
        return "full" if self._is_full() else "idle"

    def _finish(self, batch: list[Ticket[Item, Result]]) -> tuple[int, int]:
        """Run one batch and settle its tickets. Returns how many items failed and how many ran alone."""
        try:
            return self._run_once(batch), 0
        except BaseException as error:  # noqa: BLE001 - whatever it is, nobody may wait forever for this thread
            if len(batch) == 1:
                Ticket.settle([(batch[0], error)])
                return 1, 0
            if isinstance(error, Exception):
                log.warning("batch of %d failed in %s, running each alone: %r", len(batch), self.name, error)
        return sum(self._finish([ticket])[0] for ticket in batch), len(batch)

    def _run_once(self, batch: list[Ticket[Item, Result]]) -> int:
        thread = threading.get_ident()
        started_at = self._began_at = self._busy_since[thread] = time.monotonic()
        try:
            results = self._process([ticket.item for ticket in batch])
        finally:
            del self._busy_since[thread]
            took_s = time.monotonic() - started_at
            self._spent_s[thread] += took_s
        if len(results) != len(batch):
            raise RuntimeError(f"{self.name}: process returned {len(results)} results for {len(batch)} items")
        inference_ms = took_s * 1000 / len(batch)
        outcomes: list[tuple[Ticket[Item, Result], Batched[Result] | BaseException]] = [
            (ticket, result)
            if isinstance(result, Exception)
            else (ticket, Batched(result, len(batch), inference_ms, (started_at - ticket.submitted_at) * 1000))
            for ticket, result in zip(batch, results, strict=True)
        ]
        Ticket.settle(outcomes)
        return sum(isinstance(outcome, Exception) for _, outcome in outcomes)

"""A runner for engines that batch by themselves, as servers of language models do (continuous batching).

Such an engine is given items one by one and works on many at once. Batched before, they would wait for each other
twice. Here they only stand in line by lane, and the engine gets the next one whenever it has a place.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sightline.celery.fairness import LANES, Turns
from sightline.errors import JobCancelledError
from sightline.types import Lane
from workers.batching.batcher import Batched, Ticket

_QUIET_S: Final = 5.0
_QUIET_GIVING_WAY_S: Final = 0.5

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class EngineStats:
    """Counters since the start, taken at one moment."""

    items: int
    failed: int
    waiting: int
    in_engine: int


class EngineRunner(Generic[Item, Result]):
    """Hands items to `begin`, which gives a future at once and raises only where the item alone is at fault.

    At most `max_in_engine` are in the engine; higher lanes are next, and lower ones have their share.

    Each item makes a step of the engine longer, for all. So while items of higher lanes are in it, and some seconds
    longer, bulk has `bulk_beside` places and no more. Where the engine lets bulk stand still meanwhile
    (`bulk_gives_way`), bulk that is in it takes no place of others, and has the engine back within a moment.
    """

    def __init__(
        self,
        begin: Callable[[Item], Future[Result]],
        *,
        max_in_engine: int | Callable[[], int],
        name: str,
        bulk_beside: int | None = None,
        bulk_gives_way: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`max_in_engine` may be asked each time, where a server says what it takes."""
        if isinstance(max_in_engine, int) and max_in_engine < 1:
            raise ValueError(f"max_in_engine >= 1 expected, got {max_in_engine}")
        self.name = name
        self._begin = begin
        self._most = max_in_engine if callable(max_in_engine) else lambda: max_in_engine
        self._bulk_beside = bulk_beside
        self._bulk_gives_way = bulk_gives_way
        self._quiet_s = _QUIET_GIVING_WAY_S if bulk_gives_way else _QUIET_S
        self._clock = clock
        self._inside = dict.fromkeys(LANES, 0)
        self._others_at = float("-inf")  #: when a higher lane was in the engine last
        self._waiting = {lane: deque[Ticket[Item, Result]]() for lane in LANES}
        self._turns = Turns()
        self._changed = threading.Condition()
        self._items = self._failed = 0
        self._advanced_at = 0.0
        self._is_filling = False
        self._closed = False

    def submit(self, items: Sequence[Item], lane: Lane = Lane.BULK) -> list[Ticket[Item, Result]]:
        """See `Runner.submit`."""
        now, changed = time.monotonic(), threading.Condition(threading.Lock())
        tickets = [Ticket[Item, Result](item, 1, now, changed) for item in items]
        with self._changed:
            if self._closed:
                raise RuntimeError(f"engine {self.name!r} is closed")
            self._waiting[lane].extend(tickets)
        self._fill()
        return tickets

    def withdraw(self, tickets: Sequence[Ticket[Item, Result]]) -> None:
        """Nobody wants these any more: those that still stand in line end with a JobCancelledError."""
        with self._changed:
            gone = [(ticket, waiting) for waiting in self._waiting.values() for ticket in tickets if ticket in waiting]
            for ticket, waiting in gone:
                waiting.remove(ticket)
            self._items += len(gone)
            self._failed += len(gone)
        Ticket.settle([(ticket, JobCancelledError("nobody wants it any more")) for ticket, _ in gone])

    def advanced(self) -> None:
        """The engine says so with each piece of an answer: long answers are no hang."""
        self._advanced_at = time.monotonic()

    @property
    def _in_engine(self) -> int:
        return sum(self._inside.values())

    @property
    def busy_since(self) -> float | None:
        """Since when it has items and none of them advanced or ended."""
        return self._advanced_at if self._in_engine else None

    @property
    def stats(self) -> EngineStats:
        with self._changed:
            waiting = sum(map(len, self._waiting.values()))
            return EngineStats(self._items, self._failed, waiting, self._in_engine)

    def close(self, timeout_s: float | None = None) -> bool:
        """See `Runner.close`."""
        with self._changed:
            self._closed = True
            return self._changed.wait_for(lambda: not self._in_engine and not any(self._waiting.values()), timeout_s)

    def _fill(self) -> None:
        """Give the engine what it has places for. One thread does; whoever comes meanwhile has left its work to it."""
        with self._changed:
            if self._is_filling:
                return
            self._is_filling = True
        while taken := self._take():
            lane, ticket = taken
            begun_at = time.monotonic()
            try:
                future = self._begin(ticket.item)
            except Exception as error:  # noqa: BLE001 - an engine may raise anything; the others are innocent
                self._end(lane, ticket, error)
            else:
                future.add_done_callback(
                    lambda done, lane=lane, of=ticket, at=begun_at: self._ended(lane, of, at, done)
                )

    def _take(self) -> tuple[Lane, Ticket[Item, Result]] | None:
        with self._changed:
            lane = self._next_lane()
            if lane is None:
                self._is_filling = False
                return None
            self._turns.took(lane)
            if not self._in_engine:
                self.advanced()  # an idle engine hung nowhere
            self._inside[lane] += 1
            return lane, self._waiting[lane].popleft()

    def _next_lane(self) -> Lane | None:
        return next((lane for lane in self._turns.order() if self._waiting[lane] and self._may_begin(lane)), None)

    def _may_begin(self, lane: Lane) -> bool:
        others = self._in_engine - self._inside[Lane.BULK]
        in_the_way = others if lane is not Lane.BULK and self._bulk_gives_way else self._in_engine
        if in_the_way >= self._most():
            return False
        if lane is not Lane.BULK or self._bulk_beside is None:
            return True
        if others:
            self._others_at = self._clock()
        return self._clock() - self._others_at > self._quiet_s or self._inside[Lane.BULK] < self._bulk_beside

    def _ended(self, lane: Lane, ticket: Ticket[Item, Result], begun_at: float, future: Future[Result]) -> None:
        error = future.exception()
        if error is None:
            now = time.monotonic()
            wait_ms = (begun_at - ticket.submitted_at) * 1000
            self._end(lane, ticket, Batched(future.result(), self._in_engine, (now - begun_at) * 1000, wait_ms))
        else:
            self._end(lane, ticket, error)
        self._fill()

    def _end(self, lane: Lane, ticket: Ticket[Item, Result], outcome: Batched[Result] | BaseException) -> None:
        self.advanced()
        with self._changed:
            self._inside[lane] -= 1
            if lane is not Lane.BULK:
                self._others_at = self._clock()
            self._items += 1
            self._failed += isinstance(outcome, BaseException)
            self._changed.notify_all()
        Ticket.settle([(ticket, outcome)])

"""DecodeBudget for decoded pictures: what bounds the memory of a worker, however many jobs it holds."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType
from typing import NamedTuple


class DecodeBudget:
    """So many pictures may be decoded and not yet done with. Safe to share between threads.

    Jobs in progress get memory first, so jobs finish one by one. Others wait in line until there is room for the whole
    job, or half of the room.
    """

    def __init__(self, pictures: int) -> None:
        self.pictures = pictures
        self._free = pictures
        self._line = deque[_Waiting]()
        self._lock = threading.Lock()

    def share(self, of_job: int) -> Reservation:
        """For a job of so many pictures."""
        return Reservation(self, of_job)

    def wait(self, pictures: int, of_job: int) -> None:
        """Take room for the first pictures of a job, when it is its turn."""
        with self._lock:
            least = max(pictures, min(of_job, self.pictures // 2))
            waiting = _Waiting(least, threading.Condition(self._lock))
            self._line.append(waiting)
            waiting.changed.wait_for(lambda: self._line[0] is waiting and self._free >= least)
            self._line.popleft()
            self._free -= pictures
            self._wake_next()

    def take(self, pictures: int) -> bool:
        """Whether there is room for these too."""
        with self._lock:
            is_taken = self._free >= pictures
            self._free -= pictures * is_taken
            return is_taken

    def give_back(self, pictures: int) -> None:
        with self._lock:
            self._free += pictures
            self._wake_next()

    def _wake_next(self) -> None:
        """No other: woken at each picture, all that wait would work more than the one that may go on."""
        if self._line and self._free >= self._line[0].least:
            self._line[0].changed.notify()


class _Waiting(NamedTuple):
    """A job in line."""

    least: int  #: pictures that must be free
    changed: threading.Condition


class Reservation:
    """What one thread has of a room; at its end it has none."""

    def __init__(self, room: DecodeBudget, of_job: int) -> None:
        self.of_job = of_job
        self._room = room
        self._held = 0
        self._spare = 0  #: of these, for pictures to come

    def __enter__(self) -> Reservation:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.give_back(self._held)

    def take(self, pictures: int) -> bool:
        """Whether there is room for these too. Who holds none waits for it.

        Those who hold some would wait for each other: they have to be done with some first.
        """
        pictures = min(pictures, self._room.pictures)
        more = pictures - self._spare
        if not self._held:
            self._room.wait(pictures, self.of_job)
        elif more > 0 and not self._room.take(more):
            return False
        self._held += max(0, more)
        self._spare = max(0, -more)
        return True

    def reuse(self, pictures: int) -> None:
        """Be done with some, and have their room for the next."""
        self._spare = min(self._held, self._spare + pictures)

    def give_back(self, pictures: int) -> None:
        """Be done with some, whose room is everybody's again."""
        pictures = min(pictures, self._held)
        self._held -= pictures
        self._spare = min(self._spare, self._held)
        self._room.give_back(pictures)

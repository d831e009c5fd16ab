"""Room for decoded pictures: what bounds the memory of a worker, however many jobs it holds."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class Room:
    """So many pictures may be decoded and not yet done with. Safe to share between threads.

    Jobs that have begun come first: all begun at once, all would end at once. Others wait in line until half of it is
    free.
    """

    def __init__(self, pictures: int) -> None:
        self.pictures = pictures
        self._free = pictures
        self._line = deque[Share]()
        self._changed = threading.Condition()

    def share(self) -> Share:
        return Share(self)

    def wait(self, share: Share, pictures: int) -> None:
        """Take room for the first pictures of a job, when it is its turn."""
        least = max(pictures, self.pictures // 2)
        with self._changed:
            self._line.append(share)
            self._changed.wait_for(lambda: self._line[0] is share and self._free >= least)
            self._line.popleft()
            self._free -= pictures
            self._changed.notify_all()

    def take(self, pictures: int) -> bool:
        """Whether there is room for these too."""
        with self._changed:
            is_taken = self._free >= pictures
            self._free -= pictures * is_taken
            return is_taken

    def give_back(self, pictures: int) -> None:
        with self._changed:
            self._free += pictures
            self._changed.notify_all()


class Share:
    """What one thread has of a room; at its end it has none."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._held = 0

    def __enter__(self) -> Share:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._room.give_back(self._held)

    def take(self, pictures: int) -> bool:
        """Whether there is room for these too. Who holds none waits for it.

        Those who hold some would wait for each other: they have to be done with some first.
        """
        pictures = min(pictures, self._room.pictures)
        if not self._held:
            self._room.wait(self, pictures)
        elif not self._room.take(pictures):
            return False
        self._held += pictures
        return True

    def give_back(self, pictures: int) -> None:
        pictures = min(pictures, self._held)
        self._held -= pictures
        self._room.give_back(pictures)

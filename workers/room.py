"""Room for decoded pictures: what bounds the memory of a worker, however many jobs it holds."""

from __future__ import annotations

import threading
from types import TracebackType


class Room:
    """So many pictures may be decoded and not yet done with. Safe to share between threads."""

    def __init__(self, pictures: int) -> None:
        self.pictures = pictures
        self._free = pictures
        self._changed = threading.Condition()

    def share(self) -> Share:
        return Share(self)

    def take(self, pictures: int, *, wait: bool) -> bool:
        with self._changed:
            if wait:
                # Jobs that have begun come first: all begun at once, all would end at once.
                self._changed.wait_for(lambda: self._free >= max(pictures, self.pictures // 2))
            if self._free < pictures:
                return False
            self._free -= pictures
            return True

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
        is_taken = self._room.take(pictures, wait=not self._held)
        self._held += pictures * is_taken
        return is_taken

    def give_back(self, pictures: int) -> None:
        pictures = min(pictures, self._held)
        self._held -= pictures
        self._room.give_back(pictures)

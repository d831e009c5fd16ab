"""How long a worker may hold each message: as long as its stage makes progress, and some time without."""

from __future__ import annotations

import time
from typing import Final

#: A message held longer than this without progress is stuck: it loses its lease and another worker gets it.
MAX_HELD_S: Final = 600.0


class Hold:
    """One message in the hands of a stage. The stage moves `since`, the lease reads it."""

    __slots__ = ("_holds", "since", "without_progress_s")

    def __init__(self, holds: Holds) -> None:
        self._holds = holds
        self.since = time.time()  #: when it last advanced, in epoch seconds
        self.without_progress_s = MAX_HELD_S

    def begin(self, held_s: float | None) -> None:
        """A stage begins; it may go on for so long without progress."""
        self.since, self.without_progress_s = time.time(), held_s or MAX_HELD_S

    def advance(self) -> None:
        self.since = time.time()
        self._holds.advances += 1


class Holds:
    """All messages of a process, by the ids of their tasks."""

    def __init__(self) -> None:
        self.advances = 0  #: for the liveness check: whoever advances is not stuck
        self._held: dict[str, Hold] = {}

    def open(self, task_id: str) -> Hold:
        hold = self._held[task_id] = Hold(self)
        return hold

    def find(self, task_id: str) -> Hold | None:
        return self._held.get(task_id)

    def close(self, task_id: str) -> None:
        self._held.pop(task_id, None)

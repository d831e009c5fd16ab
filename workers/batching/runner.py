"""What stages give their items to, and the liveness check watches: a batcher, or an engine that batches by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from sightline.types import Lane
from workers.batching.batcher import Ticket

Item = TypeVar("Item")
Result = TypeVar("Result")


class RunnerStats(Protocol):
    """Counters since the start, taken at one moment."""

    @property
    def items(self) -> int:
        """Those that ended, however."""
        ...

    @property
    def failed(self) -> int:
        """Those whose ticket got an exception."""
        ...

    @property
    def waiting(self) -> int:
        """Those that nobody works on yet."""
        ...


class Runner(Protocol[Item, Result]):
    """Works on items of many jobs. Any thread may submit."""

    @property
    def name(self) -> str: ...

    def submit(self, items: Sequence[Item], lane: Lane = Lane.BULK) -> list[Ticket[Item, Result]]:
        """One ticket per item, in order. Raises RuntimeError where it is closed."""
        ...

    @property
    def busy_since(self) -> float | None:
        """`time.monotonic()` since when it works and nothing came of it; None while idle. For a watchdog."""
        ...

    @property
    def stats(self) -> RunnerStats: ...

    def close(self, timeout_s: float | None = None) -> bool:
        """Refuse new items, finish those there are. False if that took longer."""
        ...

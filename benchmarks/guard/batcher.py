"""Items through the batcher, in and out of its thread."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from benchmarks.guard.figures import Figure, Ratio
from sightline.types import Lane
from workers.batching.batcher import Batcher

_TIMES = 8  #: a quarter of them in the lane of bulk


@contextmanager
def batcher_figures(_folder: Path) -> Generator[list[Figure]]:
    batcher: Batcher[int, int] = Batcher(lambda items: items, max_batch_size=16, max_wait_ms=0, name="guard")
    items = list(range(32))

    def ours() -> None:
        for number in range(_TIMES):
            for ticket in batcher.submit(items, Lane.LIVE if number % 4 else Lane.BULK):
                ticket.result()

    def bare() -> None:
        for _ in range(_TIMES):
            futures: list[Future[int]] = [Future() for _ in items]
            for item, future in zip(items, futures, strict=True):
                future.set_result(item)
            for future in futures:
                future.result()

    what = "an item through the batcher to a loop of futures"
    try:
        yield [Ratio("batcher", what, "workers/batching/batcher.py", lambda: ours, lambda: bare, pairs=30)]
    finally:
        batcher.close()

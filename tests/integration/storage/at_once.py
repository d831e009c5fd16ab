"""Several things done at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def run_all(work: list[Callable[[], Result]]) -> list[Result]:
    """All at once, each in its own thread; the first error is raised."""
    start = threading.Barrier(len(work))

    def run(task: Callable[[], Result]) -> Result:
        start.wait()
        return task()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))

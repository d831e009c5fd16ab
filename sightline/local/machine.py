"""What this machine has free."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress


def count_cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class FreeCores:
    """Idle cores between two looks. Needs psutil."""

    def __init__(self) -> None:
        self.look()

    def look(self) -> float:
        """Since the look before, on average."""
        import psutil

        idle = (os.cpu_count() or 1) * (1 - psutil.cpu_percent() / 100)
        return min(float(count_cores()), max(0.0, idle))


def free_bytes() -> int:
    """Memory that a new process can have without others being swapped out."""
    import psutil

    return int(psutil.virtual_memory().available)


def largest_bytes(pids: Iterable[int]) -> int:
    """The memory of the largest of some processes; of one that has ended there is none."""
    import psutil

    sizes = [0]
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            sizes.append(int(psutil.Process(pid).memory_info().rss))
    return max(sizes)

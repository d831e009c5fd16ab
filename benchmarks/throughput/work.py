"""What every entry is given, and how the CPU time of its processes is counted."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Work:
    """The same for all entries of a run."""

    pictures: Sequence[bytes]  #: JPEG files; frame n is picture n modulo their number
    frames: int  #: in one measurement
    folder: Path  #: for databases and servers; each entry makes its own in it
    postgres: str = ""  #: URL of a database for the benchmark alone
    peers_python: Path | None = None  #: an interpreter that has ray and litserve

    def picture(self, number: int) -> bytes:
        return self.pictures[number % len(self.pictures)]


def count_cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


class Meter:
    """Wall time and CPU time by role from one moment on; `roles` are process ids, children count with them."""

    def __init__(self, roles: Mapping[str, int]) -> None:
        self._roles = roles
        self._before = {role: _cpu_s(pid) for role, pid in roles.items()}
        self._began_at = time.perf_counter()

    def wall_s(self) -> float:
        return time.perf_counter() - self._began_at

    def cpu_ms(self, frames: int) -> dict[str, float]:
        """Of one frame."""
        return {role: (_cpu_s(pid) - self._before[role]) * 1000 / frames for role, pid in self._roles.items()}


def _cpu_s(pid: int) -> float:
    """Of this process it is its own alone: its children have roles of their own."""
    process = psutil.Process(pid)
    family = [process] if pid == os.getpid() else [process, *process.children(recursive=True)]
    total = 0.0
    for one in family:
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system
    return total

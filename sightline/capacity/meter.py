"""CPU time of processes, by role."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress


class Meter:
    """Wall time and CPU time by role from one moment on; `roles` are process ids, children count with them."""

    def __init__(self, roles: Mapping[str, int]) -> None:
        self._roles = roles
        self._before = {role: _cpu_s(pid) for role, pid in roles.items()}
        self._began_at = time.perf_counter()
        self._busy_before_s = _busy_s()

    def wall_s(self) -> float:
        return time.perf_counter() - self._began_at

    def others_cores(self) -> float:
        """How many cores were busy on average with what is none of the roles."""
        ours_s = sum(self.cpu_ms(1).values()) / 1000
        return max(0.0, (_busy_s() - self._busy_before_s - ours_s) / max(1e-9, self.wall_s()))

    def cpu_ms(self, frames: int) -> dict[str, float]:
        """Of one frame."""
        return {role: (_cpu_s(pid) - self._before[role]) * 1000 / frames for role, pid in self._roles.items()}


def _cpu_s(pid: int) -> float:
    """Of this process it is its own alone: its children have roles of their own."""
    import psutil

    process = psutil.Process(pid)
    family = [process] if pid == os.getpid() else [process, *process.children(recursive=True)]
    total = 0.0
    for one in family:
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system
    return total


def _busy_s() -> float:
    """CPU time of everything on this machine."""
    import psutil

    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # On Linux the time of guests is in that of the user already.
    return sum(times) - idle - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)

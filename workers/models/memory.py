"""Memory of this process: what it holds, and what it may."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Final

GB: Final = 1 << 30
_CGROUP: Final = Path("/sys/fs/cgroup/memory.max")
_PROC: Final = Path("/proc")


def memory_limit(own_gb: float = 0) -> int:
    """Bytes: of this machine, what its control group may take of it, or what a setting says; the least of them."""
    of_all = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _CGROUP.read_text().strip() if _CGROUP.is_file() else "max"
    there = of_all if limit == "max" else min(of_all, int(limit))
    return min(there, int(own_gb * GB)) if own_gb else there


def memory_held() -> int:
    """Bytes that this process and those that it started hold. Where there is no `/proc`: at most, of this one alone."""
    if (_PROC / "self" / "statm").is_file():
        return _held(os.getpid())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _held(pid: int) -> int:
    try:
        pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
        children = [
            int(child)
            for task in (_PROC / str(pid) / "task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except (OSError, ValueError):  # it has ended meanwhile
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_held(child) for child in children)

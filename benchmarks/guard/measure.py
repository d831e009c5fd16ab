"""How to measure a cost so that it comes out the same on a busy machine."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.guard.figures import Count, Figure, Ratio, Ready

#: Of all times of a call, the one that this share of them is below. What disturbs only ever adds, so a low one is true;
#: the very lowest is luck.
_LOW = 0.2
_COUNTED_CALLS = 20


def measure(figures: Sequence[Figure], rounds: int) -> dict[str, float]:
    """Every figure by its name."""
    counts = {figure.name: _count(figure) for figure in figures if isinstance(figure, Count)}
    return counts | _ratios([figure for figure in figures if isinstance(figure, Ratio)], rounds)


def _count(figure: Count) -> float:
    figure.ours()()  # opens connections
    before = figure.read()
    for _ in range(_COUNTED_CALLS):
        figure.ours()()
    return round((figure.read() - before) / _COUNTED_CALLS)


def _ratios(figures: Sequence[Ratio], rounds: int) -> dict[str, float]:
    """All figures in each round, so that a bad second of the machine is one of many for each."""
    ours_ns: dict[str, list[int]] = {figure.name: [] for figure in figures}
    bare_ns: dict[str, list[int]] = {figure.name: [] for figure in figures}
    for _ in range(rounds):
        with _no_collection():
            for figure in figures:
                for _ in range(figure.pairs):
                    ours_ns[figure.name].append(_cpu_ns(figure.ours))
                    bare_ns[figure.name].append(_cpu_ns(figure.bare))
    return {name: round(_low(ours_ns[name]) / _low(bare_ns[name]), 2) for name in ours_ns}


def _cpu_ns(ready: Ready) -> int:
    """Of all threads of this process; what others do on the machine is not in it."""
    call = ready()
    began_at = time.process_time_ns()
    call()
    return time.process_time_ns() - began_at


def _low(values: list[int]) -> int:
    return sorted(values)[int(len(values) * _LOW)]


@contextmanager
def _no_collection() -> Generator[None]:
    """A collection of garbage would hit either of the two, and empty the caches."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def one_core() -> Generator[None]:
    """Threads and children that are started in here share one core.

    On two, whoever is handed work is woken on the other, at a price that depends on what else that one does.
    """
    set_cores: Any = getattr(os, "sched_setaffinity", None)  # Linux only
    if set_cores is None:
        yield
        return
    cores = os.sched_getaffinity(0)
    set_cores(0, {max(cores)})
    try:
        yield
    finally:
        set_cores(0, cores)


def in_memory() -> Path | None:
    """A folder that is on no disk, where there is one: what disk and journal take is not ours and differs."""
    folder = Path("/dev/shm")
    return folder if os.access(folder, os.W_OK) else None

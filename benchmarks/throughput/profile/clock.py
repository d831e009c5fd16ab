"""A clock in a step: the CPU time that each thread spends in it, less that of the steps inside it."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

Seconds = defaultdict[str, float]  #: by step

_local = threading.local()
_spent: list[Seconds] = []  #: of each thread


def clock(owner: Any, name: str, step: str) -> None:
    """Count the CPU time of a function as that of a step, less what steps inside it count themselves."""
    call: Callable[..., Any] = getattr(owner, name)

    def clocked(*arguments: Any, **named: Any) -> Any:
        if not hasattr(_local, "spent"):
            _local.spent, _local.inside_s = Seconds(float), 0.0
            _spent.append(_local.spent)
        before_s, _local.inside_s = _local.inside_s, 0.0
        began_s = time.thread_time()
        try:
            return call(*arguments, **named)
        finally:
            took_s = time.thread_time() - began_s
            _local.spent[step] += took_s - _local.inside_s
            _local.inside_s = before_s + took_s

    setattr(owner, name, clocked)


def spent_s() -> Seconds:
    """The CPU time in seconds by step, of all threads until now."""
    steps = Seconds(float)
    for spent in _spent:
        for step, seconds in list(spent.items()):
            steps[step] += seconds
    return steps

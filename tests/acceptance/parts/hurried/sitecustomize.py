"""Python imports this at its start where the folder is on PYTHONPATH: while a file is there, time goes by many times
as fast for the process, in what it reads from the clock and in what it waits for.

So an hour's outage is half a minute of a test: every retry comes, after the pause that it would have.
"""

import os
import selectors
import threading
import time
from pathlib import Path
from typing import Any

_LOOK_EVERY_S = 0.05
_file = Path(os.environ["HURRIED_WHILE"])
_factor = float(os.environ["HURRIED_TIMES"])
_true_monotonic, _true_time, _true_sleep = time.monotonic, time.time, time.sleep
_true_wait = threading.Condition.wait
_ahead_s = 0.0  #: of the true clock
_at = _looked_at = _true_monotonic()
_is_hurried = False


def _ahead() -> float:
    global _ahead_s, _at, _looked_at, _is_hurried
    now = _true_monotonic()
    if _is_hurried:
        _ahead_s += (now - _at) * (_factor - 1)
    _at = now
    if now - _looked_at >= _LOOK_EVERY_S:
        _looked_at, _is_hurried = now, _file.exists()
    return _ahead_s


def _truly(seconds: Any) -> Any:
    """How long a wait of so many seconds takes."""
    _ahead()
    return seconds / _factor if seconds and seconds > 0 and _is_hurried else seconds


def _hurry(kind: Any) -> None:
    select = kind.select
    kind.select = lambda self, timeout=None: select(self, _truly(timeout))


time.monotonic = lambda: _true_monotonic() + _ahead()
time.time = lambda: _true_time() + _ahead()
time.sleep = lambda seconds: _true_sleep(_truly(seconds))
threading.Condition.wait = lambda self, timeout=None: _true_wait(self, _truly(timeout))
for _kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector):
    _hurry(_kind)

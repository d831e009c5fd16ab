"""Python imports this at its start where the folder is on PYTHONPATH: then `time.time` is ahead by what a file says.

libfaketime would do so for the whole process, but breaks `time.sleep` of Python 3.11 when the monotonic clock stays.
"""

import os
import time
from pathlib import Path

_LOOK_EVERY_S = 0.1
_file = Path(os.environ["CHAOS_CLOCK"])
_true_time = time.time
_ahead_s = 0.0
_looked_at = 0.0


def _stepped_time() -> float:
    global _ahead_s, _looked_at
    now = _true_time()
    if now - _looked_at >= _LOOK_EVERY_S:
        _looked_at = now
        _ahead_s = float(_file.read_text())
    return now + _ahead_s


time.time = _stepped_time

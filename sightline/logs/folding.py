"""The same warning again and again: the first at once, then one line with a count, a minute later, two, four, five."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TextIO

from sightline.logs.work import known_of_work

_FIRST_S: Final = 60.0
_MOST_S: Final = 300.0
#: Causes that are remembered; the one that was heard of least lately is forgotten first.
_MOST_CAUSES: Final = 1000
#: What differs between two lines of one cause: ids, numbers, addresses of objects.
_VARYING: Final = re.compile(r"\b(?=\w*\d)[\w-]{8,}\b|\d+(?:\.\d+)?")


@dataclass
class _Cause:
    record: logging.LogRecord  #: the newest one that was held back, else the last that was said
    said_at: float
    interval_s: float = _FIRST_S
    count: int = 0  #: held back since


class FoldingHandler(logging.StreamHandler[TextIO]):
    """Warnings and errors are folded; everything below is written as it comes.

    What was held back is counted with the next line of any kind, once its time has come.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._causes: dict[tuple[str, int, str], _Cause] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Called with the handler's lock held."""
        now = self._clock()
        is_held = record.levelno >= logging.WARNING and self._hold(record, now)
        for summary in self._due(now):
            super().emit(summary)
        if not is_held:
            super().emit(record)

    def _hold(self, record: logging.LogRecord, now: float) -> bool:
        record.__dict__["work"] = known_of_work()  # another thread may write it later
        key = (record.name, record.levelno, _VARYING.sub("#", record.getMessage()))
        cause = self._causes.pop(key, None)
        is_new = cause is None or (not cause.count and now - cause.said_at > 2 * cause.interval_s)
        if cause is None or is_new:
            cause = _Cause(record, now)
        else:
            cause.record, cause.count = record, cause.count + 1
        self._causes[key] = cause  # at the end: it was heard of last
        if len(self._causes) > _MOST_CAUSES:
            del self._causes[next(iter(self._causes))]
        return not is_new

    def _due(self, now: float) -> Iterator[logging.LogRecord]:
        for cause in self._causes.values():
            if cause.count and now - cause.said_at >= cause.interval_s:
                yield _summary(cause, now)
                cause.said_at, cause.count = now, 0
                cause.interval_s = min(2 * cause.interval_s, _MOST_S)


def _summary(cause: _Cause, now: float) -> logging.LogRecord:
    text = f"{cause.record.getMessage()} ({cause.count} such lines in {now - cause.said_at:.0f} s)"
    newest = logging.makeLogRecord(cause.record.__dict__ | {"msg": text, "args": None, "exc_info": None})
    newest.exc_text = None
    return newest

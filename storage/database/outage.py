"""The log says once when the database stops answering and once when it answers again, however often it is asked."""

from __future__ import annotations

import logging
import threading
import time

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # a command that logs nothing prints the error itself


class Outage:
    """Of one database as one process sees it. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began_at: float | None = None

    def goes_on(self, error: Exception) -> None:
        """A statement failed because the database did not answer."""
        with self._lock:
            if self._began_at is not None:
                return
            self._began_at = time.monotonic()
        log.warning("%s; whatever needs it waits or is refused", error)

    def is_over(self) -> None:
        """A transaction succeeded."""
        if self._began_at is not None:
            self._end()

    def _end(self) -> None:
        with self._lock:
            began_at, self._began_at = self._began_at, None
        if began_at is not None:
            log.warning("the database answers again, after %.0f s", time.monotonic() - began_at)

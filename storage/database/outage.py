"""What a database refuses right now: the log says once for each cause when it begins, and once when it is over."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final, NamedTuple

from sightline.errors import StoreUnavailableError

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # a command that logs nothing prints the error itself

#: One in a thousand transactions may meet one of these, and is repeated: that is no outage.
_OF_ONE: Final = frozenset({"conflict"})
#: Of whether it lets us in at all: a read tells as well as a write that these are over.
_OF_ANSWERING: Final = frozenset({"unreachable", "starting", "session_ended", "too_many_clients", "pool"})
#: How long an outage is known of after its last sign: nobody may have tried since. Who is not sent requests while it
#: is not ready would never learn that it is over.
_KNOWN_FOR_S: Final = 5.0


class _Since(NamedTuple):
    began_at: float
    last_at: float
    in_writing: bool


class Outage:
    """Of one database as one process sees it. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._causes: dict[str, _Since] = {}

    def goes_on(self, error: StoreUnavailableError, *, in_writing: bool) -> None:
        """A transaction failed because of the database."""
        if error.cause in _OF_ONE:
            return
        now = time.monotonic()
        with self._lock:
            known = self._causes.get(error.cause)
            self._causes[error.cause] = _Since(known.began_at if known else now, now, in_writing)
        if known is None:
            log.warning("%s; whatever needs it waits or is refused", error)

    def is_over(self, *, in_writing: bool) -> None:
        """A transaction succeeded. A read says nothing of what is refused to writers alone."""
        if self._causes:
            self._end(in_writing=in_writing)

    def causes(self) -> list[str]:
        """What was refused within the last seconds, and not done since."""
        now = time.monotonic()
        with self._lock:
            return sorted(cause for cause, since in self._causes.items() if now - since.last_at < _KNOWN_FOR_S)

    def _end(self, *, in_writing: bool) -> None:
        with self._lock:
            over = [
                (cause, since)
                for cause, since in self._causes.items()
                if in_writing or not since.in_writing or cause in _OF_ANSWERING
            ]
            for cause, _ in over:
                del self._causes[cause]
            left = bool(self._causes)
        if over and not left:
            began_at = min(since.began_at for _, since in over)
            log.warning("the database answers again, after %.0f s", time.monotonic() - began_at)

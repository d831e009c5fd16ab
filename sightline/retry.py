"""Waiting out an outage: for ever, but not in the way of a stop, and not mistaken for being stuck."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from sightline.errors import (
    BrokerUnavailableError,
    EngineUnavailableError,
    NotPermittedError,
    RetryableError,
    StoreUnavailableError,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSES_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
_RIGHTS_WITHIN_S: Final = 30.0
_SAID_AGAIN_AFTER_S: Final = 60.0
#: Not of the machine itself, as a lack of memory is.
_OF_SERVICES: Final = (BrokerUnavailableError, EngineUnavailableError, StoreUnavailableError)


class StoppedError(Exception):
    """The worker is stopping while its task waits: the message is given back unfinished."""


class Sparing:
    """Which errors are worth a line in the log where many threads wait for one thing: one a minute of each cause.

    What a single loop says again and again is folded where it is written (`sightline.logs.folding`). Safe to share
    between threads.
    """

    def __init__(self) -> None:
        self._said_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def is_due(self, error: Exception) -> bool:
        """Whether nothing of this cause was said within the last minute; then it counts as said now."""
        cause, now = f"{type(error).__name__} {getattr(error, 'cause', '')}", time.monotonic()
        with self._lock:
            if now - self._said_at.get(cause, float("-inf")) < _SAID_AGAIN_AFTER_S:
                return False
            self._said_at[cause] = now
        return True


class Patience:
    """One per worker process. Whoever waits for a service does so here."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._paused_at = float("-inf")
        self._unanswered_at = float("-inf")
        self._sparing = Sparing()

    def stop(self) -> None:
        """End all waits: the worker is going down."""
        self._stopping.set()

    def check(self) -> None:
        """Raises StoppedError if the worker is stopping."""
        if self._stopping.is_set():
            raise StoppedError

    @property
    def is_waiting(self) -> bool:
        """Whether somebody waits for something right now, or did a moment ago."""
        return time.monotonic() - self._paused_at < 2 * _PAUSES_S[-1]

    @property
    def waits_for_service(self) -> bool:
        """The same, and what is waited for is a service that did not answer: Redis, the database, a model's server."""
        return time.monotonic() - self._unanswered_at < 2 * _PAUSES_S[-1]

    def insist(self, call: Callable[[], T], what: str, *, between: Callable[[], bool] | None = None) -> T | None:
        """Call until it succeeds, pausing after each `RetryableError`. The log says why, once a minute for all.

        Args:
            what: for the log: what cannot be done yet.
            between: asked after each failure whether to go on; False ends the wait with None.

        Raises:
            StoppedError: the worker is stopping.
            NotPermittedError: a right was missing for half a minute; longer than it takes to load new rights.
        """
        began_at = time.monotonic()
        refused_at: float | None = None
        said = False
        for pause_s in itertools.chain(_PAUSES_S, itertools.repeat(_PAUSES_S[-1])):
            try:
                result = call()
                if said:
                    log.warning("can %s again, after %.1f s", what, time.monotonic() - began_at)
                return result
            except NotPermittedError as error:
                refused_at = refused_at or time.monotonic()
                if time.monotonic() - refused_at > _RIGHTS_WITHIN_S:
                    raise
                if self._sparing.is_due(error):
                    log.error("cannot %s, again in %.1f s: %s", what, pause_s, error)
                    said = True
                self.pause(pause_s, is_outage=False)
            except RetryableError as error:
                refused_at = None
                if self._sparing.is_due(error):
                    log.warning("cannot %s yet, again in %.1f s: %s", what, pause_s, error)
                    said = True
                if isinstance(error, _OF_SERVICES):
                    self._unanswered_at = time.monotonic()
                self.pause(pause_s)
            if between is not None and not between():
                return None
        raise AssertionError("unreachable")

    def pause(self, pause_s: float, *, is_outage: bool = True) -> None:
        """Wait, for something that cannot be asked whether it is there. `is_waiting` then, if it is an outage.

        Raises:
            StoppedError: the worker is stopping.
        """
        if is_outage:
            self._paused_at = time.monotonic()
        if self._stopping.wait(pause_s):
            raise StoppedError
        if is_outage:
            self._paused_at = time.monotonic()

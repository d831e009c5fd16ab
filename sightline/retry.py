"""Waiting out an outage: for ever, but not in the way of a stop, and not mistaken for being stuck."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from sightline.errors import NotPermittedError, RetryableError

log = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSES_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
_RIGHTS_WITHIN_S: Final = 30.0


class StoppedError(Exception):
    """The worker is stopping while its task waits: the message is given back unfinished."""


class Patience:
    """One per worker process. Whoever waits for a service does so here."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._paused_at = float("-inf")

    def stop(self) -> None:
        """End all waits: the worker is going down."""
        self._stopping.set()

    def check(self) -> None:
        """Raises StoppedError if the worker is stopping."""
        if self._stopping.is_set():
            raise StoppedError

    @property
    def is_waiting(self) -> bool:
        """Whether somebody waits for a service right now, or did a moment ago."""
        return time.monotonic() - self._paused_at < 2 * _PAUSES_S[-1]

    def insist(self, call: Callable[[], T], what: str, *, between: Callable[[], bool] | None = None) -> T | None:
        """Call until it succeeds, pausing after each `RetryableError`.

        Args:
            what: for the log: what cannot be done yet.
            between: asked after each failure whether to go on; False ends the wait with None.

        Raises:
            StoppedError: the worker is stopping.
            NotPermittedError: a right was missing for half a minute; longer than it takes to load new rights.
        """
        began_at = time.monotonic()
        refused_at: float | None = None
        for failures, pause_s in enumerate(itertools.chain(_PAUSES_S, itertools.repeat(_PAUSES_S[-1]))):
            try:
                result = call()
                if failures:
                    log.warning("can %s again, after %.1f s", what, time.monotonic() - began_at)
                return result
            except NotPermittedError as error:
                refused_at = refused_at or time.monotonic()
                if time.monotonic() - refused_at > _RIGHTS_WITHIN_S:
                    raise
                log.error("cannot %s, again in %.1f s: %s", what, pause_s, error)
                self.pause(pause_s, is_outage=False)
            except RetryableError as error:
                refused_at = None
                log.warning("cannot %s yet, again in %.1f s: %s", what, pause_s, error)
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

"""When to leave a receiver alone."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

_MAX_RETRY_AFTER_S = 3600.0


def backoff_s(failures: int, first_s: float, max_s: float) -> float:
    """Pause after so many failures: doubling, with jitter so that many do not come back at once."""
    longest = min(first_s * 2 ** min(failures - 1, 40), max_s)
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret


class Breaker:
    """Opens after `threshold` failures in a row; then one probe at a time, ever later, until one succeeds."""

    def __init__(
        self, *, threshold: int = 5, first_s: float = 1, max_s: float = 60, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._threshold = threshold
        self._first_s = first_s
        self._max_s = max_s
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0

    @property
    def wait_s(self) -> float:
        """Seconds until it may be tried; 0: now."""
        return max(0.0, self._open_until - self._clock())

    @property
    def is_probing(self) -> bool:
        """It failed so often that only one event at a time may try."""
        return self._failures >= self._threshold

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, retry_after_s: float = 0) -> None:
        """`retry_after_s`: what the receiver asked for, if it did."""
        self._failures += 1
        wait_s = min(retry_after_s, _MAX_RETRY_AFTER_S)
        if self.is_probing:
            wait_s = max(wait_s, backoff_s(self._failures - self._threshold + 1, self._first_s, self._max_s))
        self._open_until = max(self._open_until, self._clock() + wait_s)

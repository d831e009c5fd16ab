"""How fast the limit is right before and right after an entry: the machine is another from minute to minute."""

from __future__ import annotations

from collections.abc import Callable


class Pace:
    """Made right before what is measured. `limit_now` gives frames a second; None: the limit is not measured."""

    def __init__(self, limit_now: Callable[[], float] | None) -> None:
        self._limit_now = limit_now
        self._before = limit_now() if limit_now else 0.0

    def base(self) -> float | None:
        """Asked for right after it: the mean of both."""
        return (self._before + self._limit_now()) / 2 if self._limit_now else None

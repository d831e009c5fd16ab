"""When to take a frame: by time stamps, not by counting, so that a source with a changing rate is sampled evenly."""

from __future__ import annotations

import random
import time


class Sampler:
    """Takes frames at `fps`, on a fixed grid of the source's own clock. Never more often than that on average."""

    def __init__(self, fps: float) -> None:
        self._step_s = 1 / fps
        self._due_s: float | None = None

    def change(self, fps: float) -> None:
        """Take more or fewer from now on; the next one is due a new step after the last."""
        step_s = 1 / fps
        if self._due_s is not None:
            self._due_s += step_s - self._step_s
        self._step_s = step_s

    def takes(self, at_s: float) -> bool:
        """Whether to take the frame with this time stamp."""
        if self._due_s is None or at_s < self._due_s - 2 * self._step_s:  # first frame, or the clock went back
            self._due_s = at_s
        if at_s < self._due_s - min(self._step_s / 10, 0.005):  # time stamps are rounded: a hair early is on time
            return False
        self._due_s += self._step_s
        if self._due_s <= at_s:  # a gap is not made up for
            self._due_s = at_s + self._step_s
        return True


class StreamClock:
    """The clock of a live stream: its time stamps while they keep pace with the wall, else the wall.

    Time stamps are even where arrival is bursty, but cameras send wrong ones: standing still, jumping, missing.
    """

    MAX_DRIFT_S = 1.0

    def __init__(self) -> None:
        self._offset_s: float | None = None

    def at_s(self, stamp_s: float | None) -> float:
        """Seconds on a clock that advances like `time.monotonic`."""
        now_s = time.monotonic()
        if stamp_s is None:
            return now_s
        if self._offset_s is None or abs(stamp_s + self._offset_s - now_s) > self.MAX_DRIFT_S:
            self._offset_s = now_s - stamp_s
        return stamp_s + self._offset_s


class Backoff:
    """Waits that double from `first_s` to `last_s`, each cut by up to half at random so that cameras spread out."""

    def __init__(self, first_s: float = 0.5, last_s: float = 30.0) -> None:
        self._first_s = self._wait_s = first_s
        self._last_s = last_s

    def next_s(self) -> float:
        wait_s, self._wait_s = self._wait_s, min(self._wait_s * 2, self._last_s)
        return max(self._first_s, wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    def reset(self) -> None:
        self._wait_s = self._first_s

"""When to take a picture: by time stamps, not by counting, so that a source with a changing rate is sampled evenly."""

from __future__ import annotations


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

"""When frames of many cameras arrive, and how the camera process gathers them: simulated and real runs use the same."""

from __future__ import annotations

import random
from bisect import bisect_right


class Cameras:
    """`count` cameras at `fps`, each with a phase of its own. The newest frame of each waits until it is taken."""

    def __init__(self, count: int, fps: float, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - not a secret
        self.count = count
        self.frames_per_s = count * fps
        self._period_s = 1 / fps
        self._phases = sorted(chance.uniform(0, self._period_s) for _ in range(count))
        self._taken_at = 0.0

    def next_after(self, now_s: float) -> float:
        """When the next frame arrives that was not there at `now_s`."""
        round_number, phase = divmod(now_s, self._period_s)
        place = bisect_right(self._phases, phase)
        later = self._phases[place] if place < self.count else self._phases[0] + self._period_s
        return round_number * self._period_s + later

    def take(self, now_s: float) -> int:
        """How many cameras have a frame that nobody took."""
        since, self._taken_at = self._taken_at, now_s
        if now_s - since >= self._period_s:
            return self.count
        before, after = (bisect_right(self._phases, time_s % self._period_s) for time_s in (since, now_s))
        return after - before if since % self._period_s <= now_s % self._period_s else self.count - before + after

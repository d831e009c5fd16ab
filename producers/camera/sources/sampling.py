"""Clocks of sources, which of their pictures are taken, and waits between two tries."""

from __future__ import annotations

import random
import threading
import time
from typing import Final

from sightline.video.sampler import Sampler

#: So few pictures a second may be taken of the key frames alone, which most cameras send every second or two.
KEY_FRAMES_FPS: Final = 1.0


class StreamClock:
    """The clock of a live stream: its time stamps while they keep pace with the wall, else the wall.

    Time stamps are even where arrival is bursty, but cameras send wrong ones: standing still, jumping, missing.
    """

    MAX_DRIFT_S = 1.0

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._at_s = float("-inf")

    def at_s(self, stamp_s: float | None) -> float:
        """Seconds on a clock that advances like `time.monotonic`, never back where many pictures come at once."""
        now_s = at_s = time.monotonic()
        if stamp_s is not None:
            if self._offset_s is None or abs(stamp_s + self._offset_s - now_s) > self.MAX_DRIFT_S:
                self._offset_s = now_s - stamp_s
            at_s = stamp_s + self._offset_s
        self._at_s = max(self._at_s, at_s)
        return self._at_s


class Pacer:
    """Plays at the speed of time what could be read faster."""

    LATE_S: Final = 0.25

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._began_s: float | None = None

    def wait(self, at_s: float) -> bool:
        """Until it is time for the picture at this position; False: stopped meanwhile.

        One that comes late is not made up for: from then on everything is as late, and comes evenly.
        """
        now_s = time.monotonic()
        if self._began_s is None or now_s - at_s - self._began_s > self.LATE_S:
            self._began_s = now_s - at_s
        early_s = self._began_s + at_s - now_s
        return early_s <= 0 or not self._stop.wait(early_s)


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


class KeyFrameSampler:
    """Takes key frames where they come as often as pictures are wanted: they alone can be decoded without all others.

    Each is at most one step late. Where they are rarer, or stop coming, any picture is taken when it is due.
    """

    def __init__(self, fps: float) -> None:
        self._sampler = Sampler(fps)
        self._step_s = 1 / fps
        self._key_s: float | None = None  #: when the newest came
        self._between_s: float | None = None  #: from one to the next

    def takes(self, at_s: float, *, is_key: bool) -> bool:
        """Whether to take the picture with this time stamp."""
        if is_key:
            self._between_s = None if self._key_s is None else at_s - self._key_s
            self._key_s = at_s
        elif self._key_comes(at_s):
            return False
        return self._sampler.takes(at_s)

    def _key_comes(self, at_s: float) -> bool:
        if self._key_s is None or self._between_s is None:
            return False
        return 0 < self._between_s <= 1.05 * self._step_s and 0 <= at_s - self._key_s <= 1.2 * self._between_s

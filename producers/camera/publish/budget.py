"""How many frames a second a camera may take now: fewer while the workers do not keep up, and while nothing moves."""

from __future__ import annotations

from typing import Final

from sightline.video.sampler import Sampler

#: From the lower to the upper limit in so many seconds of a young queue.
RISE_S: Final = 15.0
#: A scene in which nothing moved for so long is looked at as rarely as the camera allows.
STILL_S: Final = 10.0
#: Shares of the deadline: the oldest frame of a late queue has waited for longer, of a young one for less.
_LATE: Final = 0.3
_YOUNG: Final = 0.15
_CUT: Final = 0.5


class Budget:
    """The rate of one camera, between the two limits of its row. It knows no service and no clock: it is told.

    While what is published ends soon, the rate grows by the same small step each second; when the oldest frame is
    late, it is cut by half: additive increase and multiplicative decrease, which bring cameras that share workers to
    a fair share though none knows of the others (D.-M. Chiu, R. Jain, "Analysis of the Increase and Decrease
    Algorithms for Congestion Avoidance in Computer Networks", 1989). Between young and late it stays as it is. As TCP
    cuts once for all the losses of one window (RFC 6582), one queue of old frames cuts once: a frame that was sent
    before the last cut says nothing of what the cut did, nor does a queue that gets younger ask for another. A frame
    that admission refused does, and cuts each time. After a cut the rate does not grow before all that was sent until
    then has ended or is past its deadline.

    When nothing moved for `STILL_S` the rate is the lower limit, and with the first motion at once what the queue
    allows.

    The thread of the reader asks, another one tells of the queue: each writes fields of its own.
    """

    def __init__(self, min_fps: float | None, fps: float, *, deadline_s: float) -> None:
        """`min_fps` of None: the rate is always `fps`. `deadline_s`: how old a live frame may become."""
        self._min_fps = fps if min_fps is None else min(min_fps, fps)
        self._max_fps = fps
        self._deadline_s = deadline_s
        self._allowed_fps = fps  #: what the queue allows
        self._looked_s: float | None = None
        self._age_s = 0.0
        self._cut_s = float("-inf")
        self._refused = 0
        self._moved_s: float | None = None  #: on the clock of the source, as `at_s`; None where nobody looks for motion
        self._is_still = False
        self._sampler = Sampler(fps)

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to adapt."""
        return self._min_fps == self._max_fps

    @property
    def fps(self) -> float:
        """Frames a second that are taken now."""
        return self._min_fps if self._is_still else self._allowed_fps

    @property
    def slowdown(self) -> float:
        """How many times fewer than the upper limit."""
        return self._max_fps / self.fps

    def look(self, now_s: float, age_s: float | None, refused: int) -> None:
        """Follow the queue; to be called about once a second.

        Args:
            now_s: seconds on any clock that only goes forward.
            age_s: how long the oldest frame of the queue has waited, 0 if there is none; None: not known, the rate
                stays.
            refused: how many frames of this camera admission has refused so far.
        """
        passed_s = 0.0 if self._looked_s is None else now_s - self._looked_s
        was_refused = self._looked_s is not None and refused > self._refused
        self._looked_s, self._refused = now_s, refused
        is_late = age_s is not None and self._is_late(now_s, age_s)
        self._age_s = age_s or 0.0  # of the last look: whether the queue gets younger
        if was_refused or is_late:
            self._allowed_fps = max(self._min_fps, self._allowed_fps * _CUT)
            self._cut_s = now_s
        elif age_s is not None and self._is_young(now_s, age_s):
            step = (self._max_fps - self._min_fps) * passed_s / RISE_S
            self._allowed_fps = min(self._max_fps, self._allowed_fps + step)

    def note_motion(self, moved_s: float) -> None:
        """When something moved last, on the clock of the source."""
        self._moved_s = moved_s

    def takes(self, at_s: float) -> bool:
        """Whether the budget has room for the frame with this time stamp. Asked of those that `fps` takes."""
        self._is_still = self._moved_s is not None and at_s - self._moved_s > STILL_S
        fps = self.fps
        self._sampler.change(fps)
        # At the upper limit the other sampler has chosen already, on a grid of its own.
        return fps >= self._max_fps or self._sampler.takes(at_s)

    def _is_late(self, now_s: float, age_s: float) -> bool:
        return max(self._age_s, _LATE * self._deadline_s) <= age_s < now_s - self._cut_s

    def _is_young(self, now_s: float, age_s: float) -> bool:
        return age_s < _YOUNG * self._deadline_s and now_s - self._cut_s > self._deadline_s

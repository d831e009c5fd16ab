"""The motion gate: frames of a scene where nothing changes are not worth a detector."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

#: Width of the gray image that is compared. At 160 pixels one pixel averages 64 of a 720p frame: no sensor noise left.
GRAY_WIDTH = 160
#: A heartbeat that follows a low rate is not rarer than this.
_HEARTBEAT_MOST_S = 30.0

GrayImage = npt.NDArray[np.uint8]


class MotionGate:
    """Passes a frame when enough pixels differ from the last frame that passed because of motion.

    Comparing with that frame and not with the previous one lets slow movement add up. Motion holds the gate open for
    `hold_s`, because the first sharp picture of a car comes right after it stopped. Every `heartbeat_s` one frame
    passes anyway, so that a still scene is looked at too.
    """

    def __init__(
        self, *, level: int = 20, changed_share: float = 0.001, hold_s: float = 1.0, heartbeat_s: float = 5.0
    ) -> None:
        self._level = level
        self._changed_share = changed_share
        self._hold_s = hold_s
        self._heartbeat_s = heartbeat_s
        self._reference: GrayImage | None = None
        self.moved_at_s = 0.0  #: time stamp of the last frame that passed because of motion
        self._passed_at_s = 0.0

    def passes(self, gray: GrayImage, at_s: float, slowdown: float = 1.0) -> bool:
        """Whether the frame goes on.

        Args:
            gray: (height, width).
            at_s: the time stamp of the frame.
            slowdown: how many times fewer frames than usual are wanted; the heartbeat is so many times slower.
        """
        if at_s < self._passed_at_s:  # the clock went back: a file began anew
            self._reference = None
        if self._has_moved(gray):
            self._reference = gray
            self.moved_at_s = self._passed_at_s = at_s
            return True
        heartbeat_s = max(self._heartbeat_s, min(self._heartbeat_s * slowdown, _HEARTBEAT_MOST_S))
        if at_s - self.moved_at_s <= self._hold_s or at_s - self._passed_at_s >= heartbeat_s:
            self._passed_at_s = at_s
            return True
        return False

    def _has_moved(self, gray: GrayImage) -> bool:
        if self._reference is None or self._reference.shape != gray.shape:
            return True
        changed = np.count_nonzero(cv2.absdiff(gray, self._reference) > self._level)
        return bool(changed > self._changed_share * gray.size)

"""Whether a camera that sends pictures also sees what it should: not frozen, dark, covered or moved."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from producers.camera.capture.motion import GrayImage
from producers.camera.capture.shift import Shift
from sightline.camera_status import Condition

#: Looked at so often, in seconds of the source.
_EVERY_S: Final = 1.0
#: What holds for shorter is no condition: headlights go by, somebody cleans the lens.
_HOLDS_S: Final = 10.0
#: No sensor gives the same picture twice. Key frames and noise reduction change it a little even where nothing moves.
_FROZEN_S: Final = 30.0
#: So long a camera that moved is told; then what it sees is what it should.
_MOVED_S: Final = 600.0
#: In levels of 255: even the lightest hundredth of the picture is below.
_DARK: Final = 32
#: In levels: so little do even the sharpest twentieth of the pixels differ from their neighborhood.
_BLANK: Final = 2.0


class Health:
    """Follows the pictures of one camera. It knows no clock: it is told."""

    def __init__(self) -> None:
        self.condition: Condition | None = None
        self._looked_s: float | None = None
        self._last: GrayImage | None = None
        self._same_since_s = 0.0
        self._seen: Condition | None = None
        self._seen_since_s = 0.0
        self._shift = Shift()
        self._moved_s: float | None = None

    def wants(self, at_s: float) -> bool:
        """Whether it is time for another look."""
        return self._looked_s is None or not self._looked_s <= at_s < self._looked_s + _EVERY_S

    def look(self, gray: GrayImage, at_s: float) -> None:
        """At a small gray picture, (height, width)."""
        if self._looked_s is None or at_s < self._looked_s:  # the clock went back: what was seen says nothing of now
            self._same_since_s = self._seen_since_s = at_s
            self._moved_s = None
        self._looked_s = at_s
        if self._last is None or not np.array_equal(gray, self._last):
            self._last, self._same_since_s = gray, at_s
        if (seen := _condition(gray)) != self._seen:
            self._seen, self._seen_since_s = seen, at_s
        if self._seen is None and self._shift.look(gray, at_s):
            self._moved_s = at_s
        has_moved = self._moved_s is not None and at_s - self._moved_s < _MOVED_S
        if at_s - self._same_since_s >= _FROZEN_S:
            self.condition = "frozen"
        elif self._seen is None:
            self.condition = "moved" if has_moved else None
        elif at_s - self._seen_since_s >= _HOLDS_S:
            self.condition = self._seen


def _condition(gray: GrayImage) -> Condition | None:
    if np.percentile(gray, 99) < _DARK:
        return "dark"
    pixels = gray.astype(np.float32)
    detail = np.abs(pixels - cv2.blur(pixels, (9, 9)))
    return "covered" if np.percentile(detail, 95) < _BLANK else None

"""The motion gate: frames of a scene where nothing changes are not worth a detector."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

#: Width of the gray image that is compared. At 160 pixels one pixel averages 64 of a 720p frame: no sensor noise left.
GRAY_WIDTH = 160
#: A heartbeat that follows a low rate is not rarer than this.
_HEARTBEAT_MOST_S = 30.0

#: Of a change in brightness (levels of 255): this much always is motion, this little never.
_MOST_LEVEL, _LEAST_LEVEL = 20.0, 2.0
#: In between: so many times what the picture changed by in its middle half, which is noise and compression.
_TIMES_NOISE = 7.0
#: What is larger than so many pixels is light, what is smaller may be a thing. Below: what a sensor gives in the dark.
_LIGHT_SIZE, _DARK = (15, 15), 4.0
#: A pixel that is overexposed says nothing of how much lighter it became.
_WHITE, _LIGHTER = 250, 1.03

GrayImage = npt.NDArray[np.uint8]
_Float = npt.NDArray[np.float32]


class MotionGate:
    """Passes a frame when enough pixels differ from the last frame that passed because of motion.

    Light changes all pixels of a neighborhood by the same factor: clouds, lamps, a camera that adapts. So each is
    compared after the other was brought to its light, neighborhood by neighborhood. How much it must differ by then
    follows the noise of the two: in the dark a thing differs from its background by a few levels only.

    Comparing with that frame and not with the previous one lets slow movement add up. Motion holds the gate open for
    `hold_s`, because the first sharp picture of a car comes right after it stopped. Every `heartbeat_s` one frame
    passes anyway, so that a still scene is looked at too.
    """

    def __init__(self, *, changed_share: float = 0.001, hold_s: float = 1.0, heartbeat_s: float = 5.0) -> None:
        self._changed_share = changed_share
        self._hold_s = hold_s
        self._heartbeat_s = heartbeat_s
        self._reference: _Lit | None = None
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
            self.moved_at_s = self._passed_at_s = at_s
            return True
        heartbeat_s = max(self._heartbeat_s, min(self._heartbeat_s * slowdown, _HEARTBEAT_MOST_S))
        if at_s - self.moved_at_s <= self._hold_s or at_s - self._passed_at_s >= heartbeat_s:
            self._passed_at_s = at_s
            return True
        return False

    def _has_moved(self, gray: GrayImage) -> bool:
        """The picture is the reference from now on, if it has."""
        lit = _Lit(gray)
        if self._reference is not None and self._reference.pixels.shape == gray.shape:
            changed = _change(lit, self._reference)
            noise = float(np.median(changed[::2, ::2]))
            level = min(max(_TIMES_NOISE * 1.48 * noise, _LEAST_LEVEL), _MOST_LEVEL)  # 1.48: from median to deviation
            if np.count_nonzero(changed > level) <= self._changed_share * gray.size:
                return False
        self._reference = lit
        return True


class _Lit:
    """A picture, and how light it is around each pixel."""

    def __init__(self, gray: GrayImage) -> None:
        self.pixels: _Float = gray.astype(np.float32)
        self.light: _Float = cv2.blur(self.pixels, _LIGHT_SIZE)  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def detail(self) -> _Float:
        return self.pixels - self.light


def _change(now: _Lit, before: _Lit) -> _Float:
    """How much each pixel differs, apart from the light, in levels."""
    lighter = (now.light + np.float32(_DARK)) / (before.light + np.float32(_DARK))
    detail = now.detail
    expected: _Float = np.multiply(before.detail, lighter, dtype=np.float32)
    gain = _gain(detail[::2, ::2], expected[::2, ::2])  # black is not zero: the light alone says too little
    changed = detail - gain * expected
    lighter *= gain
    changed[(now.pixels >= _WHITE) & (lighter > _LIGHTER)] = 0
    changed[(before.pixels >= _WHITE) & (lighter < 1 / _LIGHTER)] = 0
    return np.abs(cv2.blur(changed, (3, 3)))


def _gain(detail: _Float, expected: _Float) -> float:
    """The factor between the two, by least squares over what fits: a thing that came does not count."""
    gain = _ratio(detail, expected)
    error = np.abs(detail - gain * expected)
    fits = error <= 3 * 1.48 * np.median(error)
    return min(max(_ratio(detail[fits], expected[fits]), 0.25), 4.0)


def _ratio(detail: _Float, expected: _Float) -> float:
    square = float((expected * expected).sum())
    return float((detail * expected).sum()) / square if square > 0 else 1.0

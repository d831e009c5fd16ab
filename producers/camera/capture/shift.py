"""Whether a camera looks elsewhere than it used to: it was turned, or hit, or somebody hung it elsewhere."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

_Float = npt.NDArray[np.float32]

#: Looked at so often, in seconds of the source.
_EVERY_S: Final = 5.0
#: So long another view must stay. A bus that stands before the lens goes on.
_HOLDS_S: Final = 60.0
#: Light changes slowly from pixel to pixel, and by the same factor: what is left without that are edges and things.
_LIGHT_SIZE, _LIKE_SIZE, _NOISE = (15, 15), (25, 25), 2.0
#: Wind shakes cameras by so many pixels.
_SHAKE: Final = 2
#: Pictures are compared tile by tile, for a lorry hides some: rows and columns of tiles.
_TILES: Final = (3, 5)
#: A tile has something in it if its detail is as strong; it shows the same if it correlates with itself by so much.
_DETAIL, _SAME = 0.3, 0.6
#: It is another view if fewer of the tiles with something in them show the same. In light of any kind that the tests
#: draw at least 0.6 of them do, behind a lorry that hides two thirds of the picture 0.18; moved by 5 % at most 0.13.
_FEW, _FEWEST_TILES = 0.15, 6
#: Shares of a new picture: in the view of now, in which what moves is blurred away, and in the usual view, which
#: follows the day: its light and its shadows change more slowly than that.
_NOW, _USUAL = 0.3, 0.05


class Shift:
    """Follows the view of one camera. It knows no clock: it is told."""

    def __init__(self) -> None:
        self._now: _Float | None = None
        self._usual: _Float | None = None
        self._looked_s = 0.0
        self._other_since_s: float | None = None

    def look(self, gray: npt.NDArray[np.uint8], at_s: float) -> bool:
        """At a small gray picture, (height, width). Whether the camera moved: said once, what it sees is usual then."""
        pixels: _Float = gray.astype(np.float32)
        if self._now is None or self._usual is None or self._now.shape != pixels.shape or at_s < self._looked_s:
            self._now = self._usual = pixels
            self._looked_s, self._other_since_s = at_s, None
            return False
        now = self._now = _mixed(self._now, pixels, _NOW)
        if at_s < self._looked_s + _EVERY_S:
            return False
        self._looked_s = at_s
        if not _is_other(self._usual, now):
            self._other_since_s = None
            self._usual = _mixed(self._usual, now, _USUAL)
            return False
        if self._other_since_s is None:
            self._other_since_s = at_s
        if at_s - self._other_since_s < _HOLDS_S:
            return False
        self._usual, self._other_since_s = now, None
        return True


def _mixed(known: _Float, new: _Float, share: float) -> _Float:
    return (known + np.float32(share) * (new - known)).astype(np.float32)


def _is_other(usual: _Float, now: _Float) -> bool:
    """Whether the two show different places. Where there is too little to see in one of them: no."""
    before, after = _detail(usual), _detail(now)
    inner = before[_SHAKE:-_SHAKE, _SHAKE:-_SHAKE]
    height, width = inner.shape
    steps = range(2 * _SHAKE + 1)
    places = [after[down : down + height, right : right + width] for down in steps for right in steps]
    nearest = max(places, key=lambda place: float((inner * place).mean()))
    strong, strong_now = _tiles(inner * inner) ** 0.5, _tiles(nearest * nearest) ** 0.5
    tells = strong >= _DETAIL
    if np.count_nonzero(tells) < _FEWEST_TILES or np.count_nonzero(strong_now >= _DETAIL) < _FEWEST_TILES:
        return False
    likeness = _tiles(inner * nearest)[tells] / np.maximum(strong[tells] * strong_now[tells], 1e-6)
    return bool(np.mean(likeness >= _SAME) < _FEW)


def _detail(image: _Float) -> _Float:
    """What is there apart from the light, equally strong everywhere but for where there is nothing but noise."""
    detail = image - cv2.blur(image, _LIGHT_SIZE)
    strength = np.sqrt(cv2.blur(detail * detail, _LIKE_SIZE))
    return (detail / (strength + np.float32(_NOISE))).astype(np.float32)


def _tiles(image: _Float) -> _Float:
    """The mean of each tile."""
    rows, columns = _TILES
    height, width = image.shape[0] // rows, image.shape[1] // columns
    cut = image[: rows * height, : columns * width].reshape(rows, height, columns, width)
    return cut.mean(axis=(1, 3))

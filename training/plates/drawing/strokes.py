"""Our own letters, drawn as strokes with a pen: what a plate's stamping die looks like, in endless variants.

A glyph is a list of strokes, a stroke a list of corners `(x, y)` in the unit square, y down. A corner is rounded by the
variant's radius; `(x, y, 0)` stays sharp.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]
_Corner = tuple[float, float] | tuple[float, float, int]
_Strokes = list[list[_Corner]]

HEIGHT_PX = 64
VARIANTS = 60
US_VARIANTS = 80  #: narrow letters of American dies, numbered after the others
_O: list[_Corner] = [(0.5, 0), (1, 0), (1, 1), (0, 1), (0, 0), (0.5, 0)]
_P: list[_Corner] = [(0, 1), (0, 0, 0), (1, 0), (1, 0.54), (0, 0.54)]
_SIX: list[_Corner] = [(0.97, 0.22), (0.97, 0), (0, 0), (0, 1), (1, 1), (1, 0.44), (0, 0.44)]
_BENT_SIX: list[_Corner] = [(0.78, 0), (0, 0.5), (0, 1), (1, 1), (1, 0.42), (0.06, 0.42)]


class _Variant(NamedTuple):
    radius: float  #: of a rounded corner, of the glyph's width
    pen: float  #: width of the pen, of the glyph's height
    width: float  #: of a letter, of its height
    digit_width: float
    serifs: bool  #: on I and J
    based_one: bool
    slashed_zero: bool
    bent: bool  #: 6 and 9 with a slanted stem
    flat_three: bool
    straight_w: bool
    open_four: bool
    broad_m: float  #: width of M and W, of a letter's; narrow ones have a thinner pen
    deep_m: float  #: how far the middle of M and W reaches
    flag: float  #: how far a 1 without serifs reaches to the left
    bar_y: float = 0.68  #: of a 4
    stem_y: float = 0.36  #: where the stem of an open 4 begins
    blunt: float = 0.0  #: how broad the foot of a V is


@lru_cache(VARIANTS + US_VARIANTS)
def _variant(number: int) -> _Variant:
    rng = np.random.default_rng(number)
    if number >= VARIANTS:
        return _american(rng)
    width = rng.uniform(0.42, 0.72)
    return _Variant(
        radius=rng.uniform(0.2, 0.5),
        pen=rng.uniform(0.095, min(0.19, 0.27 * width)),
        width=width,
        digit_width=width * rng.uniform(0.88, 1.02),
        serifs=(serifs := bool(rng.random() < 0.55)),
        based_one=serifs,
        slashed_zero=rng.random() < 0.12,
        bent=rng.random() < 0.4,
        flat_three=rng.random() < 0.15,
        straight_w=rng.random() < 0.5,
        open_four=rng.random() < 0.5,
        broad_m=rng.choice([1.0, 1.0, 1.1, 1.25]),
        deep_m=rng.uniform(0.35, 0.85),
        flag=rng.choice([0.0, 0.3, 0.42, 0.6]),
    )


def _american(rng: np.random.Generator) -> _Variant:
    """Narrow, thin, round; an I has serifs, a 1 seldom a base; M and W are hardly broader than H."""
    width = rng.uniform(0.36, 0.56)
    more = np.random.default_rng(int(rng.integers(1 << 32)))
    return _Variant(
        radius=rng.uniform(0.28, 0.5),
        pen=rng.uniform(0.085, min(0.155, 0.3 * width)),
        width=width,
        digit_width=width * rng.uniform(0.92, 1.02),
        serifs=rng.random() < 0.93,
        based_one=rng.random() < 0.3,
        slashed_zero=rng.random() < 0.08,
        bent=rng.random() < 0.3,
        flat_three=rng.random() < 0.1,
        straight_w=rng.random() < 0.6,
        open_four=rng.random() < 0.5,
        broad_m=rng.choice([1.0, 1.0, 1.1, 1.2]),
        deep_m=rng.uniform(0.35, 0.95),
        flag=rng.choice([0.25, 0.35, 0.45, 0.6]),
        bar_y=more.uniform(0.62, 0.86),
        stem_y=more.uniform(0.2, 0.62),
        blunt=float(more.choice([0.0, 0.0, 0.16, 0.3])),
    )


def draw_letter(variant_number: int, char: str) -> Mask:
    """A-Z or 0-9 of one variant (0..VARIANTS+US_VARIANTS-1): ink 255 on 0, cropped to the ink, HEIGHT_PX high."""
    variant = _variant(variant_number)
    width = variant.digit_width if char.isdigit() else variant.width
    if char in "MW":
        width *= variant.broad_m
    if char == "I" or (char == "1" and variant.based_one):
        width *= 0.62
    if char == "1" and not variant.based_one:
        width = max(width * variant.flag, variant.pen * 1.05)
    thin = 0.78 if char in "MW" and variant.broad_m < 1.2 else 1.0
    height_px, pen_px = HEIGHT_PX, variant.pen * HEIGHT_PX * thin
    inner = np.array([max(width * height_px - pen_px, 1), height_px - pen_px])
    canvas: Mask = np.zeros((height_px + 4, int(width * height_px) + 8), np.uint8)
    for stroke in _strokes(char, variant):
        points = _round(stroke, inner, variant.radius * width * height_px) + pen_px / 2 + 2
        fixed = np.round(points * 16).astype(np.int32)
        cv2.polylines(canvas, [fixed], False, 255, max(round(pen_px), 1), cv2.LINE_AA, 4)
    ys, xs = np.nonzero(canvas > 100)
    return canvas[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]


def _round(stroke: list[_Corner], inner: npt.NDArray[np.float64], radius_px: float) -> npt.NDArray[np.float64]:
    points = [np.array(corner[:2]) * inner for corner in stroke]
    path = [points[0]]
    for i in range(1, len(stroke) - 1):
        if len(stroke[i]) == 3:
            path.append(points[i])
            continue
        before, after = points[i - 1] - points[i], points[i + 1] - points[i]
        lengths = np.linalg.norm(before), np.linalg.norm(after)
        start = points[i] + before * min(radius_px / lengths[0], 0.5)
        end = points[i] + after * min(radius_px / lengths[1], 0.5)
        for t in (
            0.0,
            0.2,
            0.4,
            0.6,
            0.8,
            1.0,
        ):  # a quadratic curve, pulled to the corner so that it is nearly a circle
            path.append((1 - t) ** 2 * start + 2 * t * (1 - t) * points[i] + t**2 * end)
    return np.array([*path, points[-1]])


def _strokes(char: str, v: _Variant) -> _Strokes:
    six = _BENT_SIX if v.bent else _SIX
    glyphs: dict[str, _Strokes] = {
        "A": [[(0, 1), (0.5, 0, 0), (1, 1)], [(0.2, 0.68), (0.8, 0.68)]],
        "B": [[(0, 1, 0), (0, 0, 0), (0.93, 0), (0.93, 0.47), (0, 0.47)], [(0, 0.47), (1, 0.47), (1, 1), (0, 1)]],
        "C": [[(1, 0.28), (1, 0), (0, 0), (0, 1), (1, 1), (1, 0.72)]],
        "D": [[(0.1, 0), (1, 0), (1, 1), (0, 1, 0), (0, 0, 0), (0.1, 0)]],
        "E": [[(1, 0), (0, 0, 0), (0, 1, 0), (1, 1)], [(0, 0.48), (0.82, 0.48)]],
        "F": [[(1, 0), (0, 0, 0), (0, 1)], [(0, 0.5), (0.82, 0.5)]],
        "G": [[(1, 0.28), (1, 0), (0, 0), (0, 1), (1, 1), (1, 0.56, 0), (0.55, 0.56)]],
        "H": [[(0, 0), (0, 1)], [(1, 0), (1, 1)], [(0, 0.5), (1, 0.5)]],
        "I": [[(0.5, 0), (0.5, 1)], *([[(0, 0), (1, 0)], [(0, 1), (1, 1)]] if v.serifs else [])],
        "J": [[(1, 0), (1, 1), (0, 1), (0, 0.7)], *([[(0.45, 0), (1, 0)]] if v.serifs and v.bent else [])],
        "K": [[(0, 0), (0, 1)], [(1, 0), (0, 0.6)], [(0.36, 0.42), (1, 1)]],
        "L": [[(0, 0), (0, 1, 0), (1, 1)]],
        "M": [[(0, 1), (0, 0, 0), (0.5, v.deep_m, 0), (1, 0, 0), (1, 1)]],
        "N": [[(0, 1), (0, 0, 0), (1, 1, 0), (1, 0)]],
        "O": [_O],
        "P": [_P],
        "Q": [_O, [(0.55, 0.68), (1, 1.02)]],
        "R": [_P, [(0.5, 0.54), (1, 1)]],
        "S": [[(1, 0.26), (1, 0), (0, 0), (0, 0.47), (1, 0.5), (1, 1), (0, 1), (0, 0.74)]],
        "T": [[(0, 0), (1, 0)], [(0.5, 0), (0.5, 1)]],
        "U": [[(0, 0), (0, 1), (1, 1), (1, 0)]],
        "V": [
            [(0, 0), (0.5 - v.blunt / 2, 1, 0), (0.5 + v.blunt / 2, 1, 0), (1, 0)]
            if v.blunt
            else [(0, 0), (0.5, 1, 0), (1, 0)]
        ],
        "W": [
            [(0, 0), (0, 1, 0), (0.5, 1 - v.deep_m, 0), (1, 1, 0), (1, 0)]
            if v.straight_w
            else [(0, 0), (0.22, 1, 0), (0.5, 1 - v.deep_m, 0), (0.78, 1, 0), (1, 0)]
        ],
        "X": [[(0, 0), (1, 1)], [(1, 0), (0, 1)]],
        "Y": [[(0, 0), (0.5, 0.52, 0), (1, 0)], [(0.5, 0.52), (0.5, 1)]],
        "Z": [[(0, 0), (1, 0, 0), (0, 1, 0), (1, 1)]],
        "0": [_O, *([[(0.85, 0.12), (0.15, 0.88)]] if v.slashed_zero else [])],
        "1": [[(0, 0.2), (0.5, 0, 0), (0.5, 1)], [(0, 1), (1, 1)]] if v.based_one else [[(0, 0.16), (1, 0, 0), (1, 1)]],
        "2": [[(0, 0.28), (0, 0), (1, 0), (1, 0.45), (0, 1, 0), (1, 1)]],
        "3": [[(0, 0), (1, 0, 0), (0.45, 0.42, 0), (1, 0.42), (1, 1), (0, 1), (0, 0.8)]]
        if v.flat_three
        else [
            [(0, 0.22), (0, 0), (0.96, 0), (0.96, 0.48), (0.4, 0.48)],
            [(0.4, 0.48), (1, 0.48), (1, 1), (0, 1), (0, 0.78)],
        ],
        "4": [[(0.3, 0), (0, v.bar_y, 0), (1, v.bar_y)], [(0.75, v.stem_y), (0.75, 1)]]
        if v.open_four
        else [[(0.76, 1), (0.76, 0, 0), (0, v.bar_y + 0.04, 0), (1, v.bar_y + 0.04)]],
        "5": [[(0.95, 0), (0.06, 0, 0), (0.03, 0.42, 0), (1, 0.38), (1, 1), (0, 1), (0, 0.78)]],
        "6": [six],
        "7": [[(0, 0), (1, 0, 0), (0.35, 1)]],
        "8": [
            [(0.5, 0.47), (0.95, 0.47), (0.95, 0), (0.05, 0), (0.05, 0.47), (0.5, 0.47)],
            [(0.5, 0.47), (1, 0.47), (1, 1), (0, 1), (0, 0.47), (0.5, 0.47)],
        ],
        "9": [[(1 - corner[0], 1 - corner[1]) for corner in six]],
    }
    return glyphs[char]

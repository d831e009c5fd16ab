"""Where in the picture a plate is. Two forms: its box, and its spot, which is the box as one whole number.

A spot is coarse on purpose (a quarter of the plate's width, half an octave in size): it is small enough to be kept
with every reading, and everything that compares readings of different frames compares spots.
"""

from __future__ import annotations

import math
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from sightline.types import Xyxy

#: Of the plate's width: how far two boxes of a plate that stands still may be apart.
_STILL: Final = 0.35
#: How far a plate is from where it is expected: widths at once, and for each second, with its speed unknown or known.
_OFF: Final = 0.4
_OFF_PER_S: Final = 3.0
_OFF_PER_S_ON_COURSE: Final = 1.2
_ON_COURSE_S: Final = 3.0  #: it goes on as it went for so long
#: And where a part of it is outside of the picture.
_OFF_IF_CUT: Final = 1.0
#: The same for its size, in natural logarithms.
_GROWN: Final = 0.2
_GROWN_PER_S: Final = 0.2
#: Where another vehicle's plate may be: so many square widths of picture, and so many logarithms of size.
_PICTURE: Final = 150.0
_SIZES: Final = 2.5
#: So soon after one vehicle no other one is at the same place.
_MOMENT_S: Final = 0.5
_ALONE: Final = 2.0
_MOST_EVIDENCE: Final = 6.0
#: Two boxes of one frame that share this part of the smaller are the same plate, found twice.
_SAME_BOX: Final = 0.5
#: A box so near to the edge of the picture, of its width or height, goes on outside.
_EDGE: Final = 0.004
#: Growth of the box from which a vehicle comes nearer; for less than that, widths it has to move sideways.
_NEARER: Final = 1.25
_SIDEWAYS: Final = 1.0

_BITS: Final = 21
_OFFSET: Final = 1 << (_BITS - 1)
_MASK: Final = (1 << _BITS) - 1


class Direction(StrEnum):
    """Where a vehicle went, as the camera sees it."""

    APPROACHING = "approaching"
    RECEDING = "receding"
    LEFT = "left"
    RIGHT = "right"
    UNKNOWN = "unknown"  #: it was read once, without a box, or hardly moved


class _Center(NamedTuple):
    x: float
    y: float
    width: float
    step: int  #: of the size, half octaves


@lru_cache(maxsize=1 << 12)
def spot_of(box: Xyxy | None) -> int | None:
    """The spot of a box; None if there is no box or nothing in it."""
    if box is None or box[2] <= box[0]:
        return None
    x1, y1, x2, y2 = box
    step = min(max(round(2 * math.log2(max(x2 - x1, 1.0))), 0), 63)
    unit = 2 ** (step / 2) / 4
    column, row = (_clip(math.floor((low + high) / 2 / unit)) for low, high in ((x1, x2), (y1, y2)))
    return (step << 2 * _BITS) | ((column + _OFFSET) << _BITS) | (row + _OFFSET)


@lru_cache(maxsize=1 << 12)
def is_still(one: int, other: int) -> bool:
    """Whether two spots are the same place in the picture, as far as a detector can tell."""
    a, b = _center(one), _center(other)
    reach = _STILL * max(a.width, b.width)
    return abs(a.step - b.step) <= 1 and abs(a.x - b.x) <= reach and abs(a.y - b.y) <= reach


def motion_evidence(
    here: int,
    last: int,
    elapsed_s: float,
    *,
    before: int | None = None,
    step_s: float = 0.0,
    is_cut: bool = False,
) -> float:
    """How much it speaks for one vehicle that a plate is `here`, where it was at `last`; see `evidence` for the scale.

    `before` is where it was `step_s` earlier still: then it is expected to go on as it went. Where one of the two
    `is_cut` off by the edge of the picture, its size says nothing, and its place little. Errors have heavy tails
    (Cauchy): people brake, and detectors jump. After long enough everything is possible, and nothing is said.
    """
    now, then = _center(here), _center(last)
    x, y, size = then.x, then.y, math.log(then.width)
    off_by = _OFF + _OFF_PER_S * elapsed_s
    if before is not None and step_s > 0:
        earlier, ahead = _center(before), min(elapsed_s, _ON_COURSE_S) / step_s
        x, y = x + (then.x - earlier.x) * ahead, y + (then.y - earlier.y) * ahead
        size += max(-1.0, min(1.0, (size - math.log(earlier.width)) * ahead))
        off_by = _OFF + _OFF_PER_S_ON_COURSE * elapsed_s
    off_by += _OFF_IF_CUT * is_cut
    off = math.hypot(now.x - x, now.y - y) / max(now.width, then.width)
    grown, grown_by = math.log(now.width) - size, _GROWN + _GROWN_PER_S * elapsed_s
    evidence = max(0.0, math.log(_PICTURE / (2 * math.pi * off_by**2))) - 1.5 * math.log1p((off / off_by) ** 2)
    if not is_cut:
        evidence += max(0.0, math.log(_SIZES / (math.pi * grown_by))) - math.log1p((grown / grown_by) ** 2)
    if elapsed_s <= _MOMENT_S and is_still(here, last):
        evidence += _ALONE
    return max(-_MOST_EVIDENCE, min(_MOST_EVIDENCE, evidence))


def is_same_box(one: Xyxy | None, other: Xyxy | None) -> bool:
    """Whether two boxes of one frame hold the same plate. True where a box is not known."""
    if one is None or other is None:
        return True
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min(_area(one), _area(other))
    return width > 0 and height > 0 and width * height >= _SAME_BOX * smaller


def cut_sides(box: Xyxy, width: int, height: int) -> tuple[bool, bool, bool]:
    """Whether the left end, the right end, or the top or bottom of a plate is outside of the picture.

    A plate that fills the picture from side to side is the picture of a plate, and whole.
    """
    left, right = box[0] <= _EDGE * width, box[2] >= (1 - _EDGE) * width
    top, bottom = box[1] <= _EDGE * height, box[3] >= (1 - _EDGE) * height
    return left and not right, right and not left, top != bottom


def direction(first: Xyxy, last: Xyxy) -> Direction:
    """Where a vehicle went between its first and its last box."""
    width, last_width = first[2] - first[0], last[2] - last[0]
    if min(width, last_width) <= 0:
        return Direction.UNKNOWN
    growth = math.sqrt(_area(last) / _area(first)) if _area(first) > 0 < _area(last) else last_width / width
    if growth >= _NEARER or growth <= 1 / _NEARER:
        return Direction.APPROACHING if growth > 1 else Direction.RECEDING
    moved = (last[0] + last[2] - first[0] - first[2]) / (width + last_width)
    if abs(moved) < _SIDEWAYS:
        return Direction.UNKNOWN
    return Direction.RIGHT if moved > 0 else Direction.LEFT


def _area(box: Xyxy) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


@lru_cache(maxsize=1 << 12)
def _center(spot: int) -> _Center:
    step = spot >> 2 * _BITS
    width = 2 ** (step / 2)
    unit = width / 4
    column, row = ((spot >> _BITS) & _MASK) - _OFFSET, (spot & _MASK) - _OFFSET
    return _Center((column + 0.5) * unit, (row + 0.5) * unit, width, step)


def _clip(value: int) -> int:
    return min(max(value, -_OFFSET), _OFFSET - 1)

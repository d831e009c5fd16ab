"""Large pictures in parts of full size, for what is too small to be seen in the whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from sightline.types import Detection, Xyxy
from workers.pixels.images import BgrImage, within

SIDE_PX: Final = 640
_SHARED_PX: Final = 128  #: of neighbors: what is smaller is whole in one of them
_WORTH_PX: Final = 960  #: longest side of a picture from which its parts show more than the whole does
_EDGE_PX: Final = 2
#: A larger picture is made smaller until it has these: a photo of 48 megapixels would have 192.
MOST_PARTS: Final = 24


class Tile(NamedTuple):
    """`left` and `top` in its own pixels, each of which is `scale` of the picture."""

    left: int
    top: int
    image: BgrImage
    scale: float = 1.0


def tiles_of(image: BgrImage) -> list[Tile]:
    """Parts that cover the picture; none of one that is so small that they show no more than it does."""
    height, width = image.shape[:2]
    longest = most_px = max(height, width)
    if longest < _WORTH_PX:
        return []
    while len(_starts(round(height * most_px / longest))) * len(_starts(round(width * most_px / longest))) > MOST_PARTS:
        most_px = round(0.95 * most_px)
    seen = within(image, most_px)
    return [
        Tile(left, top, seen[top : top + SIDE_PX, left : left + SIDE_PX], longest / most_px)
        for top in _starts(seen.shape[0])
        for left in _starts(seen.shape[1])
    ]


def joined(image: BgrImage, tiles: Sequence[Tile], found: Sequence[Sequence[Detection]]) -> list[Detection]:
    """What was found on the parts, in pixels of the picture, best first: each thing once, and nothing that is cut."""
    height, width = image.shape[:2]
    whole = [
        _moved(one, tile, width, height)
        for tile, of_tile in zip(tiles, found, strict=True)
        for one in of_tile
        if not _is_cut(one, tile, round(width / tile.scale), round(height / tile.scale))
    ]
    kept: list[Detection] = []
    for one in sorted(whole, key=lambda each: -each.confidence):
        if not any(_is_on(one.xyxy, other.xyxy) or _is_on(other.xyxy, one.xyxy) for other in kept):
            kept.append(one)
    return kept


def _starts(length: int) -> list[int]:
    count = max(1, math.ceil((length - _SHARED_PX) / (SIDE_PX - _SHARED_PX)))
    return [round(index * (length - SIDE_PX) / (count - 1)) for index in range(count)] if count > 1 else [0]


def _is_cut(one: Detection, tile: Tile, width: int, height: int) -> bool:
    """Whether it is at an edge that is none of the picture: then it goes on in the neighbor."""
    x1, y1, x2, y2 = one.xyxy
    rows, columns = tile.image.shape[:2]
    return (
        (x1 <= _EDGE_PX and tile.left > 0)
        or (y1 <= _EDGE_PX and tile.top > 0)
        or (x2 >= columns - _EDGE_PX and tile.left + columns < width)
        or (y2 >= rows - _EDGE_PX and tile.top + rows < height)
    )


def _is_on(one: Xyxy, other: Xyxy) -> bool:
    """Whether the middle of one is in the other."""
    x, y = (one[0] + one[2]) / 2, (one[1] + one[3]) / 2
    return other[0] <= x <= other[2] and other[1] <= y <= other[3]


def _moved(one: Detection, tile: Tile, width: int, height: int) -> Detection:
    def moved(x: float, y: float) -> tuple[float, float]:
        return min((x + tile.left) * tile.scale, width), min((y + tile.top) * tile.scale, height)

    x1, y1, x2, y2 = one.xyxy
    corners = one.corners
    if corners:
        a, b, c, d = (moved(x, y) for x, y in corners)
        corners = (a, b, c, d)
    return one.model_copy(update={"xyxy": (*moved(x1, y1), *moved(x2, y2)), "corners": corners})

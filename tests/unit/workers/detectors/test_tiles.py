"""Large pictures in parts."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.types import Detection, Xyxy
from workers.detectors.tiles import MOST_PARTS, SIDE_PX, Tile, joined, tiles_of

pytestmark = pytest.mark.unit

PICTURE = np.zeros((1080, 1920, 3), np.uint8)


def box(*xyxy: float, confidence: float = 0.8) -> Detection:
    x1, y1, x2, y2 = xyxy
    return Detection(xyxy=(x1, y1, x2, y2), label="plate", class_id=0, confidence=confidence)


def seen(tiles: list[Tile], *things: Xyxy) -> list[list[Detection]]:
    """What each part shows of some things, cut where the part ends."""
    found: list[list[Detection]] = []
    for tile in tiles:
        mine = [
            (max(0.0, x1 - tile.left), max(0.0, y1 - tile.top), min(640.0, x2 - tile.left), min(640.0, y2 - tile.top))
            for x1, y1, x2, y2 in things
        ]
        found.append([box(*one) for one in mine if one[2] > one[0] and one[3] > one[1]])
    return found


@pytest.mark.parametrize(("width", "height", "count"), [(1920, 1080, 8), (1280, 720, 6), (3840, 640, 8), (900, 900, 0)])
def test_parts_cover_the_picture_and_share_their_edges(width: int, height: int, count: int) -> None:
    tiles = tiles_of(np.zeros((height, width, 3), np.uint8))
    covered = np.zeros((height, width), bool)
    for tile in tiles:
        covered[tile.top : tile.top + SIDE_PX, tile.left : tile.left + SIDE_PX] = True
        assert tile.image.shape[0] == min(height, SIDE_PX)
        assert tile.image.shape[1] == SIDE_PX
    assert len(tiles) == count
    assert covered.all() or not count


@pytest.mark.parametrize(
    ("width", "height"),
    [(4032, 3024), (3024, 4032), (3840, 2160), (12000, 8300), (40000, 640), (40000, 2000), (2560, 2560)],
)
def test_no_picture_has_parts_without_end(width: int, height: int) -> None:
    """A larger one is made smaller for it; what is found is where it is in the picture."""
    picture = np.zeros((height, width, 3), np.uint8)
    tiles = tiles_of(picture)
    assert MOST_PARTS / 3 < len(tiles) <= MOST_PARTS
    bottom_right = tiles[-1]
    rows, columns = bottom_right.image.shape[:2]
    corner = box(columns - 40.0, rows - 30.0, columns - 8.0, rows - 20.0)
    [one] = joined(picture, tiles, [[] for _ in tiles[1:]] + [[corner]])
    assert one.xyxy[2] == pytest.approx(width - 8 * bottom_right.scale, abs=bottom_right.scale)
    assert one.xyxy[3] == pytest.approx(height - 20 * bottom_right.scale, abs=bottom_right.scale)


@pytest.mark.parametrize("left", range(0, 1830, 61))
def test_each_thing_that_is_small_is_found_once_and_whole_wherever_it_is(left: int) -> None:
    thing = (float(left), 500.0, left + 90.0, 520.0)
    tiles = tiles_of(PICTURE)
    assert [one.xyxy for one in joined(PICTURE, tiles, seen(tiles, thing))] == [thing]

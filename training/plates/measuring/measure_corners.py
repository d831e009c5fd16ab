"""`python -m training.plates.measuring.measure_corners`: would a detector of four corners pay?

Reads the plates of drawn scenes twice: cut by their true box, as a detector of boxes cuts them at best, and
straightened by their true corners, as one of corners would at best. What lies between is all there is to win.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from typing import NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

from sightline.settings import load_settings
from sightline.types import Detection
from training.plates.drawing.scene import PlateTruth, draw_scene
from training.plates.measuring.measure import open_named
from workers.models.registry import BUILT_IN
from workers.pixels.images import BgrImage, crop

_SIZE_PX = 960
_LEAST_HEIGHT_PX = 16
#: Degrees that a plate is turned or sheared, whichever is more.
_BANDS = ((0, 4), (4, 8), (8, 16), (16, 90), (0, 90))


class Target(NamedTuple):
    text: str
    degrees: float
    by_box: BgrImage
    by_corners: BgrImage


def targets_of(seed: int, index: int) -> Iterator[Target]:
    """The plates of a drawn scene that are whole and large enough to be read."""
    scene = draw_scene(seed, index, _SIZE_PX)
    for plate in scene.plates:
        is_whole = all(0 <= value <= _SIZE_PX for corner in plate.corners for value in corner)
        if is_whole and math.dist(plate.corners[0], plate.corners[3]) >= _LEAST_HEIGHT_PX:
            margin = BUILT_IN["plates-detector"].crop_margin
            box = Detection(xyxy=plate.xyxy(_SIZE_PX), label="plate", class_id=0, confidence=1)
            top_left, top_right, bottom_right, bottom_left = plate.corners
            level = box.model_copy(update={"corners": (top_left, top_right, bottom_right, bottom_left)})
            cut, straightened = (crop(scene.image, one, margin=margin) for one in (box, level))
            yield Target(plate.text, _degrees(plate), cut, straightened)


def _degrees(plate: PlateTruth) -> float:
    top_left, top_right, _, bottom_left = plate.corners
    turned = math.degrees(math.atan2(top_right[1] - top_left[1], top_right[0] - top_left[0]))
    sheared = math.degrees(math.atan2(bottom_left[0] - top_left[0], bottom_left[1] - top_left[1]))
    return max(abs(turned), abs(sheared))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.measuring.measure_corners", description=__doc__)
    parser.add_argument("--scenes", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=77)
    args = parser.parse_args()
    recognizer = open_named("plates", load_settings())
    targets: list[Target] = []
    right: list[tuple[bool, bool]] = []
    for index in track(range(args.scenes), "drawing and reading", transient=True):
        for target in targets_of(args.seed, index):
            box, corners = (reading.text for reading in recognizer.recognize([target.by_box, target.by_corners]))
            targets.append(target)
            right.append((box == target.text, corners == target.text))
    table = Table("degrees", "plates", "exact by box, %", "exact by corners, %")
    for low, high in _BANDS:
        part = [each for target, each in zip(targets, right, strict=True) if low <= target.degrees < high]
        shares = (f"{100 * sum(each[way] for each in part) / max(1, len(part)):.1f}" for way in (0, 1))
        table.add_row(f"{low}-{high}", str(len(part)), *shares)
    Console().print(table)


if __name__ == "__main__":
    main()

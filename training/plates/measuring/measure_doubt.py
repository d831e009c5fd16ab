"""`python -m training.plates.measuring.measure_doubt`: when a box is a plate, by how sure its detector and reader are.

Draws scenes in letters that nothing was trained with, reads every box as a worker does, and tells what each pair of
limits (see `workers.recognizers.doubt`) would take away: of right readings, of wrong ones, and of boxes on no plate.
With PHOTOS (see `benchmarks.accuracy`) it does so for those. O and 0, I and 1 are equal.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.accuracy.truth import read_photos
from sightline.settings import load_settings
from sightline.types import Xyxy
from training.plates.drawing.fonts import check_fonts, use_held_out
from training.plates.drawing.scene import draw_scene
from workers.detectors import open_detector
from workers.detectors.scale_fusion import overlap
from workers.pixels.images import BgrImage, crop, decode, use_one_thread
from workers.recognizers.voted import open_voted_recognizer

_SIZE_PX = 720
_ON_PLATE = 0.3  #: intersection over union
_EQUAL = str.maketrans("OI", "01")
_BOXES = (0.5, 0.55, 0.6, 0.65, 0.7)
#: Of texts that have the form of some country's plates, and of others.
_CHARACTERS = ((0.5, 0.5), (0.5, 0.7), (0.5, 0.9), (0.7, 0.7), (0.7, 0.9))

Truth = list[tuple[Xyxy, str]]


class Box(NamedTuple):
    is_plate: bool
    is_right: bool  #: its reading
    has_text: bool
    confidence: float
    least: float  #: confidence of the least sure character
    has_form: bool  #: of some country's plates

    def is_doubtful(self, box: float, with_form: float, without: float) -> bool:
        return self.confidence < box and self.least < (with_form if self.has_form else without)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.measuring.measure_doubt", description=__doc__)
    parser.add_argument("photos", nargs="?", type=Path, help="folder of photos in place of drawn scenes")
    parser.add_argument("--seed", type=int, default=88001)
    parser.add_argument("--scenes", type=int, default=150)
    given = parser.parse_args()
    use_one_thread()
    images = drawn(given.seed, given.scenes) if given.photos is None else photographed(given.photos)
    Console().print(_table(boxes_of(images)))


def drawn(seed: int, scenes: int) -> Iterator[tuple[BgrImage, Truth]]:
    check_fonts()
    use_held_out()
    for index in track(range(scenes), "scenes", transient=True):
        scene = draw_scene(seed, index, _SIZE_PX)
        yield scene.image, [(plate.xyxy(_SIZE_PX), plate.text) for plate in scene.plates]


def photographed(folder: Path) -> Iterator[tuple[BgrImage, Truth]]:
    for photo in track(read_photos(folder), "photos", transient=True):
        yield decode(photo.path.read_bytes(), max_mpx=100), [(photo.xyxy, photo.corrected)]


def boxes_of(images: Iterator[tuple[BgrImage, Truth]]) -> list[Box]:
    settings = load_settings()
    detector, reader = open_detector("plates-detector", settings), open_voted_recognizer(settings)
    context = detector.model.context or 0.0
    found: list[Box] = []
    for image, truth in images:
        (boxes,) = detector.detect([image])
        readings = reader.recognize([crop(image, box, margin=context) for box in boxes])
        for box, reading in zip(boxes, readings, strict=True):
            near, text = max(((overlap(box.xyxy, xyxy), text) for xyxy, text in truth), default=(0.0, ""))
            is_right = near >= _ON_PLATE and reading.text.translate(_EQUAL) == text.translate(_EQUAL)
            least = min(reading.char_confidences, default=0.0)
            form = reading.country is not None
            found.append(Box(near >= _ON_PLATE, is_right, bool(reading.text), box.confidence, least, form))
    return found


def _table(boxes: Sequence[Box]) -> Table:
    groups = {
        "right": [box for box in boxes if box.is_right],
        "misread": [box for box in boxes if box.is_plate and box.has_text and not box.is_right],
        "on no plate": [box for box in boxes if not box.is_plate],
        "of these with a text": [box for box in boxes if not box.is_plate and box.has_text],
    }
    table = Table(
        "box below", "character below", "without form", *(f"{name}, of {len(group)}" for name, group in groups.items())
    )
    for box in _BOXES:
        for characters in _CHARACTERS:
            gone: list[Any] = [sum(one.is_doubtful(box, *characters) for one in group) for group in groups.values()]
            table.add_row(f"{box:g}", *(f"{least:g}" for least in characters), *map(str, gone))
    return table


if __name__ == "__main__":
    main()

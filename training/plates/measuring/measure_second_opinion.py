"""`python -m training.plates.measuring.measure_second_opinion`: what asking PP-OCR pays and costs.

Draws scenes in letters that nothing was trained with, finds their plates as a worker does, and reads them with our
recognizer alone and with both. With PHOTOS (see `benchmarks.accuracy`) it reads those. O and 0, I and 1 are equal.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.accuracy.metrics import calibration_error, iou, reliability
from benchmarks.accuracy.truth import read_photos
from sightline.settings import load_settings
from sightline.types import Reading, Xyxy
from training.plates.drawing.fonts import check_fonts, use_held_out
from training.plates.drawing.scene import draw_scene
from workers.detectors import open_detector
from workers.pixels.images import BgrImage, crop, use_one_thread
from workers.recognizers.plates import open_plate_recognizer
from workers.recognizers.recognizer import Recognizer
from workers.recognizers.voted import open_voted_recognizer

_SIZE_PX = 720
_ON_PLATE = 0.3  #: intersection over union
_EQUAL = str.maketrans("OI", "01")
_SURE = 0.9


class Target(NamedTuple):
    text: str
    image: BgrImage
    xyxy: Xyxy


class Read(NamedTuple):
    right: bool
    least: float  #: confidence of the least sure character
    ms: float  #: of CPU time


def drawn(seed: int, scenes: int) -> Iterator[Target]:
    check_fonts()
    use_held_out()
    for index in track(range(scenes), "scenes", transient=True):
        scene = draw_scene(seed, index, _SIZE_PX)
        for plate in scene.plates:
            if all(0 <= value <= _SIZE_PX for corner in plate.corners for value in corner):
                yield Target(plate.text, scene.image, plate.xyxy(_SIZE_PX))


def photos(folder: Path) -> Iterator[Target]:
    for photo in track(read_photos(folder), "photos", transient=True):
        yield Target(photo.corrected, np.asarray(cv2.imread(str(photo.path)), np.uint8), photo.xyxy)


def read(recognizer: Recognizer, target: Target, box: Any) -> Read:
    cut = crop(target.image, box, margin=recognizer.model.context or 0.0)
    began = time.process_time()
    (reading,) = recognizer.recognize([cut])
    ms = (time.process_time() - began) * 1000
    return Read(_equal(reading) == target.text.translate(_EQUAL), min(reading.char_confidences, default=0.0), ms)


def _equal(reading: Reading) -> str:
    return reading.text.translate(_EQUAL)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.plates.measuring.measure_second_opinion", description=__doc__
    )
    parser.add_argument("photos", type=Path, nargs="?")
    parser.add_argument("--scenes", type=int, default=450)
    parser.add_argument("--seed", type=int, default=9202, help="not one that was trained with")
    args = parser.parse_args()
    use_one_thread()
    settings = load_settings(plates_model="plates-detector")
    detector = open_detector(settings.plates_model, settings)
    both = {"plates": open_plate_recognizer(settings), "voted": open_voted_recognizer(settings)}
    found: dict[str, list[Read]] = {name: [] for name in both}
    for target in photos(args.photos) if args.photos else drawn(args.seed, args.scenes):
        boxes = detector.detect([target.image])[0]
        box = max(boxes, key=lambda one: iou(one.xyxy, target.xyxy), default=None)
        if box is not None and iou(box.xyxy, target.xyxy) >= _ON_PLATE:
            for name, recognizer in both.items():
                found[name].append(read(recognizer, target, box))
    table = Table("recognizer", "plates", "right, %", "surer than 0.9", "right of these, %", "ECE", "CPU ms a crop")
    for name, each in found.items():
        sure = [one.right for one in each if one.least >= _SURE]
        bins = reliability([one.least for one in each], [one.right for one in each])
        shares = (100 * sum(one.right for one in each) / len(each), 100 * sum(sure) / max(1, len(sure)))
        mean_ms = sum(one.ms for one in each) / len(each)
        table.add_row(name, str(len(each)), f"{shares[0]:.1f}", str(len(sure)), f"{shares[1]:.1f}",
                      f"{calibration_error(bins):.3f}", f"{mean_ms:.1f}")  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()

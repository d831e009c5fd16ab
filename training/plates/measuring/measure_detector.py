"""`python -m training.plates.measuring.measure_detector PHOTOS`: how many plates of real photos are found.

PHOTOS has folders with a `truth.tsv` (file, x, y, width, height, plate), one labelled plate a photo. Even rows are for
looking at failures (dev), odd rows are only counted (test). `top1`: the most confident box is on the plate; `any`: some
box with a confidence of 0.1 is; both at intersection over union 0.5. `false`: boxes a photo with the confidence from
which the registry takes them, that do not meet the labelled plate (below 0.3); some are plates without a label.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from sightline.types import Detection, Xyxy
from workers.detectors.openvino_session import OpenvinoSession
from workers.detectors.scale_fusion import overlap
from workers.detectors.sessions import OnnxruntimeSession
from workers.detectors.yolo import YoloDetector
from workers.models.files import ModelFile
from workers.models.registry import BUILT_IN
from workers.pixels.images import BgrImage

_ON_PLATE, _NEAR_PLATE = 0.5, 0.3  #: intersection over union
_ANY_CONFIDENCE = 0.1
_SURE = BUILT_IN["plates-detector"].min_confidence


class Photo(NamedTuple):
    group: str
    file: str
    is_dev: bool
    xyxy: Xyxy
    image: BgrImage


class Shares(NamedTuple):
    number: int
    top1: float
    any: float
    false: float  #: boxes a photo


def load_photos(folder: Path) -> list[Photo]:
    """All photos with the box of their labelled plate.

    Raises:
        FileNotFoundError: no table, or a photo that a table names cannot be read; names it.
    """
    photos: list[Photo] = []
    for table in sorted(folder.glob("*/truth.tsv")):
        with table.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file, delimiter="\t")):
                image = cv2.imread(str(table.parent / row["file"]))
                if image is None:
                    raise FileNotFoundError(f"{table.parent / row['file']}: cannot be read, {table} names it")
                x, y, w, h = (float(row[key]) for key in ("x", "y", "width", "height"))
                xyxy, picture = (x, y, x + w, y + h), np.asarray(image, np.uint8)
                photos.append(Photo(table.parent.name, row["file"], number % 2 == 0, xyxy, picture))
    if not photos:
        raise FileNotFoundError(f"{folder}: no folder with a truth.tsv in it")
    return photos


def open_file(weights: Path, *, runtime: str, looks_px: Sequence[int], threads: int) -> YoloDetector:
    """A detector file that is not yet in the registry; `looks_px`: the longest side of one look, or of two."""
    first, second = (*looks_px, None)[:2]
    looks = {"input_size": first, "second_look": second}
    spec = BUILT_IN["plates-detector"].model_copy(update={"source": str(weights)} | looks)
    file = ModelFile(weights.stem, spec, weights, "")
    if runtime == "openvino":
        return YoloDetector(file, OpenvinoSession(file, half=True, threads=threads), min_confidence=_ANY_CONFIDENCE)
    return YoloDetector(file, OnnxruntimeSession(file, threads=threads), min_confidence=_ANY_CONFIDENCE)


def shares(photos: Sequence[Photo], found: Sequence[Sequence[Detection]], *, group: str, half: str) -> Shares:
    """Figures over the photos of a group (`all`: of every group) and half (`dev`, `test`, `both`)."""
    chosen = [
        (photo.xyxy, sorted(boxes, key=lambda box: -box.confidence))
        for photo, boxes in zip(photos, found, strict=True)
        if group in (photo.group, "all") and half in ("dev" if photo.is_dev else "test", "both")
    ]
    top1 = [bool(boxes) and overlap(boxes[0].xyxy, truth) >= _ON_PLATE for truth, boxes in chosen]
    some = [any(overlap(box.xyxy, truth) >= _ON_PLATE for box in boxes) for truth, boxes in chosen]
    false = [
        sum(box.confidence >= _SURE and overlap(box.xyxy, truth) < _NEAR_PLATE for box in boxes)
        for truth, boxes in chosen
    ]
    return Shares(len(chosen), float(np.mean(top1)), float(np.mean(some)), float(np.mean(false)))


def report(photos: Sequence[Photo], found: Sequence[Sequence[Detection]]) -> str:
    """A table with a line for each group and half."""
    lines = ["group half    n   top1    any  false"]
    for group in [*sorted({photo.group for photo in photos}), "all"]:
        for half in ("dev", "test", "both"):
            one = shares(photos, found, group=group, half=half)
            lines.append(f"{group:5} {half:4} {one.number:4}  {one.top1:.3f}  {one.any:.3f}   {one.false:.2f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.measuring.measure_detector", description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", type=Path, default=Path(BUILT_IN["plates-detector"].source).with_suffix(".onnx"))
    parser.add_argument("--runtime", choices=("onnxruntime", "openvino"), default="onnxruntime")
    parser.add_argument("--looks", type=int, nargs="+", default=[640, 384], help="longest side in pixels, one or two")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--failures", action="store_true", help="list the failures of the dev half")
    args = parser.parse_args()
    detector = open_file(args.weights, runtime=args.runtime, looks_px=args.looks, threads=args.threads)
    photos = load_photos(args.photos)
    began = time.process_time()
    found = [detector.detect([photo.image])[0] for photo in photos]
    each_ms = (time.process_time() - began) / len(photos) * 1000
    what = f"{args.weights.name}, {args.runtime}, {args.looks} px"
    print(f"{what}, {len(photos)} photos, {each_ms:.0f} ms of CPU a photo")
    print(report(photos, found))
    for photo, boxes in zip(photos, found, strict=True):
        best = max(boxes, key=lambda box: box.confidence, default=None)
        if args.failures and photo.is_dev and (best is None or overlap(best.xyxy, photo.xyxy) < _ON_PLATE):
            print(f"{photo.group}/{photo.file}  plate {photo.xyxy}  best {best and (best.xyxy, best.confidence)}")


if __name__ == "__main__":
    main()

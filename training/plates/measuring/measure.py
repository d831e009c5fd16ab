"""`python -m training.plates.measuring.measure PHOTOS`: how many plates of real photos are read, from true boxes.

PHOTOS has folders with a `truth.tsv` (file, x, y, width, height, plate). Even rows are for looking at failures
(dev), odd rows are only counted (test). `eq` takes O and 0, I and 1, B and 8 as equal. `corrected` mends known wrong
labels.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from sightline.settings import Settings, load_settings
from sightline.types import Detection, Reading
from workers.models.files import ModelFile
from workers.models.registry import ModelSpec
from workers.pixels.images import BgrImage, crop
from workers.recognizers import open_plates_recognizer, open_recognizer
from workers.recognizers.plates import PlateRecognizer
from workers.recognizers.recognizer import Recognizer

_EQUAL = str.maketrans("OIB", "018")
#: known wrong labels of the public OpenALPR benchmark: the letter O where the plate has a zero
_CORRECTED = {
    "RK6O5AB": "RK605AB",
    "RKO26AJ": "RK026AJ",
    "RKO82AL": "RK082AL",
    "RKO99AN": "RK099AN",
    "RK3OOAG": "RK300AG",
    "OYO9FEU": "OY09FEU",
}


class Photo(NamedTuple):
    group: str
    is_dev: bool
    file: str
    plate: str
    crop: BgrImage


def load_photos(folder: Path, margin: float) -> list[Photo]:
    """All labelled plates, cut by their true boxes and a margin, a share of the box height."""
    photos: list[Photo] = []
    for table in sorted(folder.glob("*/truth.tsv")):
        with table.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file, delimiter="\t")):
                x, y, w, h = (float(row[key]) for key in ("x", "y", "width", "height"))
                image = np.asarray(cv2.imread(str(table.parent / row["file"])), np.uint8)
                box = Detection(xyxy=(x, y, x + w, y + h), label="plate", class_id=0, confidence=1)
                cut = crop(image, box, margin=margin)
                photos.append(Photo(table.parent.name, number % 2 == 0, row["file"], row["plate"], cut))
    return photos


class Shares(NamedTuple):
    plates: int
    exact: float
    equal: float
    corrected: float
    confidence: float


def shares(photos: list[Photo], readings: list[Reading], *, group: str = "all", half: str = "both") -> Shares:
    """How much of a group (a folder's name) and half (dev, test) is read right."""
    chosen = [
        (photo.plate, plain(reading.text), reading.confidence)
        for photo, reading in zip(photos, readings, strict=True)
        if group in (photo.group, "all") and half in ("dev" if photo.is_dev else "test", "both")
    ]
    return Shares(
        plates=len(chosen),
        exact=_mean(truth == text for truth, text, _ in chosen),
        equal=_mean(truth.translate(_EQUAL) == text.translate(_EQUAL) for truth, text, _ in chosen),
        corrected=_mean(_CORRECTED.get(truth, truth) == text for truth, text, _ in chosen),
        confidence=_mean(confidence for _, _, confidence in chosen),
    )


def report(photos: list[Photo], readings: list[Reading]) -> str:
    """A table with a line for each group and half."""
    lines = ["group half    n  exact     eq  corrected  confidence"]
    for group in [*sorted({photo.group for photo in photos}), "all"]:
        for half in ("dev", "test", "both"):
            count, exact, equal, corrected, sure = shares(photos, readings, group=group, half=half)
            lines.append(
                f"{group:5} {half:4} {count:4}  {exact:.3f}  {equal:.3f}      {corrected:.3f}       {sure:.3f}"
            )
    return "\n".join(lines)


def _mean(values: Iterable[float]) -> float:
    every = list(values)
    return sum(every) / max(len(every), 1)


def plain(text: str) -> str:
    return "".join(char for char in text.upper() if char.isalnum() and char.isascii())


def open_named(name: str, settings: Settings) -> Recognizer:
    """A recognizer of the settings, or an ONNX file of our own."""
    if name.endswith(".onnx"):
        file = ModelFile(Path(name).stem, ModelSpec(kind="stub", source=name), Path(name), "")
        return PlateRecognizer(file, "onnxruntime", threads=settings.threads, max_batch_size=settings.max_batch_size)
    own = open_plates_recognizer(settings.model_copy(update={"plates_recognizer": name}))
    return own or open_recognizer(settings.model_copy(update={"recognizer": name}))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.measuring.measure", description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--recognizer", default="plates", help="a name of SIGHTLINE_RECOGNIZER, or a .onnx file")
    parser.add_argument("--margin", type=float, help="share of the box height added on all sides; else as it wants")
    parser.add_argument("--failures", action="store_true", help="list the failures of the dev half")
    args = parser.parse_args()
    recognizer = open_named(args.recognizer, load_settings())
    margin = (recognizer.model.context or 0.0) if args.margin is None else args.margin
    photos = load_photos(args.photos, margin)
    recognizer.recognize([photo.crop for photo in photos[:2]])
    began = time.perf_counter()
    readings = recognizer.recognize([photo.crop for photo in photos])
    each_ms = (time.perf_counter() - began) / len(photos) * 1000
    print(f"{args.recognizer}, margin {margin}, {len(photos)} photos, {each_ms:.1f} ms a crop")
    print(report(photos, readings))
    for photo, reading in zip(photos, readings, strict=True):
        if args.failures and photo.is_dev and plain(reading.text).translate(_EQUAL) != photo.plate.translate(_EQUAL):
            print(f"{photo.group}/{photo.file}  {photo.plate}  read {reading.text!r} ({reading.confidence:.2f})")


if __name__ == "__main__":
    main()

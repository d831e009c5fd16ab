"""Does an object detector see the cars of real photos? `python -m benchmarks.objects MODEL PHOTOS`.

See docs/reference/models.md.

MODEL is a name of the model registry or a `.onnx` file of kind `yolox`; PHOTOS a folder with `truth.tsv`, or with
folders that have one: each of its photos has one labelled plate. A photo counts where a vehicle's box holds the middle
of that plate. Then: how far the runtimes are from each other, both computing in float32.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.truth import Photo, read_photos
from sightline.errors import SightlineError
from sightline.settings import load_settings
from sightline.types import Detection
from workers.detectors import Detector, open_detector
from workers.detectors.scale_fusion import overlap
from workers.pixels.images import BgrImage, decode

VEHICLES: Final = ("car", "truck", "bus", "motorcycle")
_RUNTIMES: Final = (("onnxruntime", False), ("openvino", False), ("openvino", True))  #: and half precision
_SAME: Final = 0.9  #: intersection over union
_AT_ONCE: Final = 4

Found = list[list[Detection]]  #: of each photo


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.objects", description=__doc__)
    parser.add_argument("model", help="a name of the model registry, or a .onnx file of kind yolox")
    parser.add_argument("photos", type=Path)
    arguments = parser.parse_args()
    try:
        _measure(arguments.model, read_photos(arguments.photos))
    except SightlineError as error:
        print(f"objects: {error}", file=sys.stderr)
        return 2
    return 0


def _measure(model: str, photos: Sequence[Photo]) -> None:
    images = [decode(photo.path.read_bytes(), max_mpx=100) for photo in photos]
    table = Table("runtime", "vehicle at the plate", "confidence", "labels there", "vehicles a photo", "ms an image")
    found: dict[str, Found] = {}
    for runtime, half in _RUNTIMES:
        name = f"{runtime}, {'bfloat16 where the CPU has it' if half else 'float32'}"
        detector = _open(model, runtime, half=half)
        detector.warm()
        found[name], took_ms = _look(detector, images)
        table.add_row(name, *_seen(photos, found[name]), f"{took_ms:.0f}")
    console = Console(width=160)
    console.print(table)
    one, other, half = found.values()
    console.print(f"onnxruntime and OpenVINO, float32: {_difference(one, other)}")
    console.print(f"OpenVINO, float32 and bfloat16: {_difference(other, half)}")


def _open(model: str, runtime: str, *, half: bool) -> Detector:
    if not model.endswith(".onnx"):
        return open_detector(model, load_settings(runtime=runtime, half=half))
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models.toml"
        models.write_text(f'[models.given]\nkind = "yolox"\nsource = {json.dumps(str(Path(model).resolve()))}\n')
        return open_detector("given", load_settings(runtime=runtime, half=half, models_file=models))


def _look(detector: Detector, images: Sequence[BgrImage]) -> tuple[Found, float]:
    """The detections, and the median milliseconds an image."""
    found: Found = []
    took_ms: list[float] = []
    for start in range(0, len(images), _AT_ONCE):
        some = images[start : start + _AT_ONCE]
        began = time.perf_counter()
        found += detector.detect(some)
        took_ms.append(1000 * (time.perf_counter() - began) / len(some))
    return found, median(took_ms)


def _seen(photos: Sequence[Photo], found: Found) -> tuple[str, ...]:
    """The columns of the table that tell what was seen."""
    at_plates = [_at_plate(photo, seen) for photo, seen in zip(photos, found, strict=True)]
    sure = [one.confidence for one in at_plates if one]
    labels = Counter(one.label for one in at_plates if one)
    vehicles = sum(one.label in VEHICLES for seen in found for one in seen)
    return (
        f"{len(sure)} of {len(photos)}",
        f"{median(sure):.2f}" if sure else "-",
        ", ".join(f"{label} {count}" for label, count in labels.most_common()),
        f"{vehicles / len(photos):.2f}",
    )


def _at_plate(photo: Photo, seen: Sequence[Detection]) -> Detection | None:
    """The surest vehicle whose box holds the middle of the plate."""
    x, y = (photo.xyxy[0] + photo.xyxy[2]) / 2, (photo.xyxy[1] + photo.xyxy[3]) / 2
    for one in seen:  # best first
        left, top, right, bottom = one.xyxy
        if one.label in VEHICLES and left <= x <= right and top <= y <= bottom:
            return one
    return None


def _difference(one: Found, other: Found) -> str:
    """How far two runtimes are apart."""
    alone = 0
    scores: list[float] = []
    pixels: list[float] = []
    for ours, theirs in zip(one, other, strict=True):
        left = list(theirs)
        for mine in ours:
            match = max(left, key=lambda each: overlap(mine.xyxy, each.xyxy) * (mine.label == each.label), default=None)
            if match is None or match.label != mine.label or overlap(mine.xyxy, match.xyxy) < _SAME:
                alone += 1
                continue
            left.remove(match)
            scores.append(abs(mine.confidence - match.confidence))
            pixels.extend(abs(a - b) for a, b in zip(mine.xyxy, match.xyxy, strict=True))
        alone += len(left)
    worst = f", at most {max(scores):.1e} of confidence and {max(pixels):.2g} px apart" if scores else ""
    return f"{len(scores)} boxes in both, {alone} in one alone{worst}"


if __name__ == "__main__":
    raise SystemExit(main())

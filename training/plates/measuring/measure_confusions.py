"""`python -m training.plates.measuring.measure_confusions`: what our reader of plates confuses, and how surely.

Draws crops of plates of all styles as cameras see them, cut as `plates-detector` cuts plates of drawn scenes, and reads
them as a worker does by default. Writes the counts to `storage/plates/reader_confusions.json`, where
`storage.plates.confusions` has them from. Plates that no passage would be made of (too short or too long) are left out,
and so are readings that the stages leave out. Where a font draws O and 0 or I and 1 alike, no reader can tell them
apart: they count as they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from rich.progress import track

from sightline.settings import load_settings
from sightline.types import Reading
from storage.plates.text import MAX_PLATE_CHARS, MIN_PLATE_CHARS, WEIGHT_OF_CERTAINTY, read_plate
from training.plates.drawing.crops import draw_cut, draw_height_px
from training.plates.drawing.fonts import check_fonts
from training.plates.drawing.scene import draw_scene
from training.plates.measuring.confusion_counts import Counts
from workers.detectors import Detector, open_detector
from workers.detectors.scale_fusion import overlap
from workers.pixels.images import BgrImage, use_one_thread
from workers.recognizers import Recognizer, open_plates_recognizer, open_recognizer

#: As cameras see plates; long European ones are a quarter lower than this, see `draw_cut`.
_HEIGHTS_PX: Final = (16.0, 70.0)
_SCENE_PX: Final = 960
_ON_PLATE: Final = 0.5  #: intersection over union
_LIKE_IT: Final = 20  #: of so many plates that are next larger, and as many that are next smaller, one lends its box
_AT_ONCE: Final = 64
_LABEL: Final = "plate"
_TARGET: Final = Path(__file__).parents[3] / "storage" / "plates" / "reader_confusions.json"


class Overhang(NamedTuple):
    """How a detector boxed a plate: by how much the box is larger on each side, in plate heights."""

    height_px: float
    sides: tuple[float, float, float, float]  #: left, top, right, bottom


class Cut(NamedTuple):
    text: str
    image: BgrImage
    room: tuple[float, float]  #: between the plate and the crop's left and right edge, in plate heights


def overhangs(detector: Detector, scenes: Iterable[int], seed: int) -> list[Overhang]:
    """Of the whole plates that it finds in drawn scenes, the smallest first."""
    found: list[Overhang] = []
    for index in scenes:
        scene = draw_scene(seed, index, _SCENE_PX)
        boxes = [box.xyxy for box in detector.detect([scene.image])[0]]
        for plate in scene.plates:
            if not all(0 <= value <= _SCENE_PX for corner in plate.corners for value in corner):
                continue
            true = plate.xyxy(_SCENE_PX)
            box = max(boxes, key=lambda one: overlap(one, true), default=true)
            if boxes and overlap(box, true) >= _ON_PLATE:
                height = true[3] - true[1]
                sides = (true[0] - box[0], true[1] - box[1], box[2] - true[2], box[3] - true[3])
                left, top, right, bottom = (side / height for side in sides)
                found.append(Overhang(height, (left, top, right, bottom)))
    return sorted(found)


def draw_cuts(
    seed: int, indices: Iterable[int], boxes: list[Overhang], margin: float, context: float | None = None
) -> Iterator[Cut]:
    """Plates as they are cut out; `margin` is what the detector wants around its boxes, in their heights.

    `context` is what the recognizer wants, where that is more.
    """
    heights = [box.height_px for box in boxes]
    for index in indices:
        rng = np.random.default_rng([seed, index])
        height_px = draw_height_px(rng, *_HEIGHTS_PX)
        near = int(np.searchsorted(heights, height_px)) + int(rng.integers(-_LIKE_IT, _LIKE_IT + 1))
        left, top, right, bottom = boxes[int(np.clip(near, 0, len(boxes) - 1))].sides
        pad = margin * (1 + top + bottom)
        more = pad if context is None else context * (1 + top + bottom)
        sides = np.array([left + more, top + more, right + more, bottom + more], np.float64)
        cut = draw_cut(rng, height_px=height_px, box=lambda _rng, size: sides * size[1])  # noqa: B023
        if MIN_PLATE_CHARS <= len(cut.text) <= MAX_PLATE_CHARS:
            image = np.asarray(cv2.cvtColor(cut.image, cv2.COLOR_GRAY2BGR), np.uint8)
            yield Cut(cut.text, image, (left + pad, right + pad))


def count_readings(cuts: Iterable[Cut], recognizer: Recognizer, min_confidence: float) -> tuple[Counts, int, int]:
    """Read all. Also returned: how many plates there were, and how many of them became no plate-like reading."""
    counts, plates, unread = Counts(), 0, 0
    for part in _batches(cuts):
        plates += len(part)
        for cut, reading in zip(part, recognizer.recognize([cut.image for cut in part]), strict=True):
            if not _count(counts, cut, reading, min_confidence):
                unread += 1
    return counts, plates, unread


def _count(counts: Counts, cut: Cut, reading: Reading, min_confidence: float) -> bool:
    if not reading.text or reading.confidence < min_confidence:
        return False
    plate = read_plate(reading.text, reading.confidence, reading.char_confidences, label=_LABEL)
    if plate is not None:
        counts.add(cut.text, plate.text, [weight / WEIGHT_OF_CERTAINTY for weight in plate.weights], cut.room)
    return plate is not None


def _batches(cuts: Iterable[Cut]) -> Iterator[list[Cut]]:
    part: list[Cut] = []
    for cut in cuts:
        part.append(cut)
        if len(part) == _AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def to_json(table: dict[str, Any]) -> str:
    """A line for each entry of each part, so that a difference can be read."""
    parts: list[str] = []
    for name, part in table.items():
        items = part.items() if isinstance(part, dict) else [(None, one) for one in part]
        lines = [f"  {'' if key is None else json.dumps(key) + ': '}{json.dumps(value)}" for key, value in items]
        begin, end = "{}" if isinstance(part, dict) else "[]"
        parts.append(f"{json.dumps(name)}: {begin}\n" + ",\n".join(lines) + f"\n{end}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.measuring.measure_confusions", description=__doc__)
    parser.add_argument("--crops", type=int, default=24_000)
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=4321, help="not one that was trained with")
    parser.add_argument("--target", type=Path, default=_TARGET)
    args = parser.parse_args()
    check_fonts()
    use_one_thread()
    settings = load_settings(plates_model="plates-detector", plates_recognizer="voted")
    detector = open_detector(settings.plates_model, settings)
    recognizer = open_plates_recognizer(settings) or open_recognizer(settings)
    boxes = overhangs(detector, track(range(args.scenes), "boxing plates", transient=True), args.seed)
    indices = track(range(args.crops), "drawing and reading", transient=True)
    cuts = draw_cuts(args.seed, indices, boxes, detector.model.crop_margin, recognizer.model.context)
    counts, plates, unread = count_readings(cuts, recognizer, settings.min_reading_confidence)
    made = {
        "by": f"python -m training.plates.measuring.measure_confusions --crops {args.crops} --scenes {args.scenes} "
        f"--seed {args.seed}",
        "detector": {"name": detector.model.name, "sha256": detector.model.sha256, "boxes": len(boxes)},
        "recognizer": {"name": recognizer.model.name, "sha256": recognizer.model.sha256},
        "plates": {"drawn": plates, "not_read": unread, **counts.readings},
    }
    args.target.write_text(to_json({"made": made} | counts.table()), "ascii")


if __name__ == "__main__":
    main()

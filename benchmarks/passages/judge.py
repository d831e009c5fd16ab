"""Passages against the truth of a clip.

A vehicle counts if its plate could be read: in two pictures (of a photo: in one) it is inside the picture and covered
by nobody, and at least 10 px high. A passage is the vehicle's whose plate most of its readings are on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.accuracy.metrics import iou
from benchmarks.passages.readings import ReadClip, ReadFrame
from benchmarks.passages.rules import Key, Passage
from sightline.types import Detection
from storage.plates.text import plate_chars

LEAST_PX = 10.0  #: height of a plate
LEAST_SHARE = 0.95
LEAST_FRAMES = 2
_ON_PLATE_IOU = 0.3
#: In most styles these are the same strokes.
_ALIKE = str.maketrans("OI", "01")


def canonical(plate: str) -> str:
    return plate.translate(_ALIKE)


@dataclass
class Vehicle:
    """What became of one vehicle. `texts`: what was read of it, each with how often."""

    name: str
    plate: str
    readable_frames: int = 0
    texts: Counter[str] = field(default_factory=Counter[str])
    passages: list[Passage] = field(default_factory=list[Passage])

    @property
    def was_read(self) -> bool:
        """Whether some reading of it was right."""
        return canonical(self.plate) in self.texts

    @property
    def was_mostly_read(self) -> bool:
        """Whether nothing was read of it more often than its plate."""
        return self.was_read and self.texts[canonical(self.plate)] == max(self.texts.values())

    @property
    def has_its_plate(self) -> bool:
        return any(canonical(passage.text) == canonical(self.plate) for passage in self.passages)

    @property
    def is_right(self) -> bool:
        """It is one passage, with its plate."""
        return self.has_its_plate and len(self.passages) == 1

    @property
    def is_swallowed(self) -> bool:
        """It was read right, and no passage of its own says so."""
        return self.was_read and not self.has_its_plate

    @property
    def is_split(self) -> bool:
        return len(self.passages) > 1


@dataclass(frozen=True)
class Judged:
    """One clip under some rules. `vehicles` are those that count."""

    clip: ReadClip
    vehicles: list[Vehicle]
    passages: list[Passage]
    invented: list[Passage]  #: no vehicle has this text, and no reading said it
    false: list[Passage]  #: no vehicle has this text, but a reading said it
    seen_by: dict[Key, str]  #: the vehicle a reading is of
    said: list[tuple[float, bool]]  #: confidence of each passage, and whether its plate is that of its vehicle

    @property
    def is_perfect(self) -> bool:
        return all(one.is_right for one in self.vehicles) and not self.invented and not self.false


def judge(clip: ReadClip, passages: Sequence[Passage]) -> Judged:
    vehicles, seen_by, texts = _truth(clip)
    known = {canonical(vehicle.plate) for vehicle in vehicles.values()}
    invented: list[Passage] = []
    false: list[Passage] = []
    said: list[tuple[float, bool]] = []
    for passage in passages:
        text = canonical(passage.text)
        if text not in known:
            (false if text in texts else invented).append(passage)
        owners = Counter(seen_by[key] for key in passage.readings if key in seen_by)
        owner = max(sorted(owners), key=lambda name: owners[name], default=None)
        if owner is not None:
            vehicles[owner].passages.append(passage)
        said.append((passage.confidence, owner is not None and text == canonical(vehicles[owner].plate)))
    least = 1 if clip.kind == "photos" else LEAST_FRAMES
    counted = [vehicle for vehicle in vehicles.values() if vehicle.readable_frames >= least]
    return Judged(clip, counted, list(passages), invented, false, seen_by, said)


def _truth(clip: ReadClip) -> tuple[dict[str, Vehicle], dict[Key, str], set[str]]:
    """The vehicles, which of them each reading is of, and all texts that were read."""
    vehicles: dict[str, Vehicle] = {}
    seen_by: dict[Key, str] = {}
    texts: set[str] = set()
    for frame in clip.frames:
        for plate in frame.plates:
            vehicle = vehicles.setdefault(plate.vehicle, Vehicle(plate.vehicle, plate.text))
            is_large = plate.xyxy[3] - plate.xyxy[1] >= LEAST_PX
            vehicle.readable_frames += is_large and plate.share >= LEAST_SHARE
        for index, reading in enumerate(frame.result.readings):
            text = canonical(plate_chars(reading.text))
            texts.add(text)
            if reading.detection_index is None:
                continue
            name = _vehicle_at(frame, frame.result.detections[reading.detection_index])
            if name is not None:
                seen_by[frame.result.frame.frame_id, index] = name
                vehicles[name].texts[text] += 1
    return vehicles, seen_by, texts


def _vehicle_at(frame: ReadFrame, box: Detection) -> str | None:
    """Whose plate a box is on. Where plates cover each other it is the one that can be seen better."""
    on = [(plate.share > 0.3, iou(plate.xyxy, box.xyxy), plate.vehicle) for plate in frame.plates]
    best = max((one for one in on if one[1] >= _ON_PLATE_IOU), default=None)
    return best[2] if best else None

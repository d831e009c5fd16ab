"""A page of clips in which rules were wrong: who was seen when, what was read, and which passage it became."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, select_autoescape

from benchmarks.passages import clips
from benchmarks.passages.judge import Judged, Vehicle, canonical
from benchmarks.passages.readings import ReadFrame
from sightline.types import Xyxy
from storage.plates.text import plate_chars
from workers.pixels.images import BgrImage, decode, encode_jpeg

_MOST_CLIPS, _PICTURES, _WIDTH_PX = 40, 6, 480
_GREEN, _RED, _WHITE = (90, 200, 60), (60, 60, 230), (255, 255, 255)
#: One for each passage of a clip, over and over.
_COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#bcbd22", "#17becf", "#555555")


def write_page(path: Path, rules: str, judged: Sequence[Judged], seed: int) -> None:
    """Write the clips with faults, those with most first."""
    faulty = sorted((one for one in judged if not one.is_perfect), key=lambda one: -_faults(one))
    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=folder, autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True)
    template = environment.get_template("faults.html")
    shown = [_clip(one, seed) for one in faulty[:_MOST_CLIPS]]
    path.write_text(
        template.render(rules=rules, seed=seed, clips=shown, faulty=len(faulty), total=len(judged)), encoding="utf-8"
    )


def _faults(one: Judged) -> int:
    return sum(not vehicle.is_right for vehicle in one.vehicles) + len(one.invented) + len(one.false)


def _clip(one: Judged, seed: int) -> dict[str, Any]:
    passage_of = {key: number for number, passage in enumerate(one.passages) for key in passage.readings}
    frames = one.clip.frames
    span_s = max(frame.time_s for frame in frames) or 1.0
    rows = {name: row for row, name in enumerate(dict.fromkeys(p.vehicle for f in frames for p in f.plates))}
    dots = [
        {
            "x": f"{100 * frame.time_s / span_s:.2f}",
            "row": rows[one.seen_by[key]] if key in one.seen_by else len(rows),
            "color": _color(passage_of[key]),
            "said": f"{frame.result.readings[key[1]].text} {frame.result.readings[key[1]].confidence:.2f}, "
            f"{frame.time_s:.1f} s: {one.passages[passage_of[key]].text}",
        }
        for frame in frames
        for index in range(len(frame.result.readings))
        if (key := (frame.result.frame.frame_id, index)) in passage_of
    ]
    return {
        "title": f"{one.clip.scenario}, clip {one.clip.number}",
        "rate": f"{one.clip.fps} fps" if one.clip.fps else "photos",
        "vehicles": [(vehicle.name, vehicle.plate, _fate(vehicle)) for vehicle in one.vehicles],
        "rows": list(rows),
        "dots": dots,
        "passages": [
            (_color(number), passage.text, f"{passage.confidence:.2f}", len(passage.readings), _kind(one, number))
            for number, passage in enumerate(one.passages)
        ],
        "pictures": list(_pictures(one, seed)),
    }


def _color(number: int) -> str:
    return _COLORS[number % len(_COLORS)]


def _fate(vehicle: Vehicle) -> str:
    if vehicle.is_right:
        return ""
    if vehicle.is_swallowed:
        return "swallowed"
    if vehicle.is_split:
        return "split"
    return "misread" if vehicle.passages else "not seen"


def _kind(one: Judged, number: int) -> str:
    passage = one.passages[number]
    return "invented" if passage in one.invented else "false" if passage in one.false else ""


def _pictures(one: Judged, seed: int) -> list[str]:
    """Some that show faults, as base64 of JPEG: true boxes green, what was read red."""
    wrong = {vehicle.name for vehicle in one.vehicles if not vehicle.is_right}
    wrong_text = {canonical(passage.text) for passage in (*one.invented, *one.false)}
    telling = [
        index
        for index, frame in enumerate(one.clip.frames)
        if any(plate.vehicle in wrong for plate in frame.plates)
        or any(canonical(plate_chars(reading.text)) in wrong_text for reading in frame.result.readings)
    ]
    chosen = (
        telling if len(telling) <= _PICTURES else [telling[i * len(telling) // _PICTURES] for i in range(_PICTURES)]
    )
    shots = clips.draw(seed, one.clip.number).shots
    drawn = [_annotated(decode(shots[index].jpeg, max_mpx=10), one.clip.frames[index]) for index in chosen]
    return [base64.b64encode(encode_jpeg(image, quality=70)).decode() for image in drawn]


def _annotated(image: BgrImage, frame: ReadFrame) -> BgrImage:
    scale = _WIDTH_PX / image.shape[1]
    image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    for plate in frame.plates:
        _box(image, plate.xyxy, scale, _GREEN, plate.vehicle, below=True)
    for reading in frame.result.readings:
        if reading.detection_index is not None:
            box = frame.result.detections[reading.detection_index].xyxy
            _box(image, box, scale, _RED, f"{plate_chars(reading.text)} {reading.confidence:.2f}", below=False)
    _write(image, f"{frame.time_s:.1f} s", (4, 14))
    return image


def _box(image: BgrImage, xyxy: Xyxy, scale: float, color: tuple[int, int, int], said: str, *, below: bool) -> None:
    x1, y1, x2, y2 = (round(value * scale) for value in xyxy)
    cv2.rectangle(image, (x1, y1), (x2, y2), color, 1, cv2.LINE_AA)
    _write(image, said, (max(0, x1 - 10), y2 + 14 if below else y1 - 4))


def _write(image: BgrImage, said: str, at: tuple[int, int]) -> None:
    for color, width in (((0, 0, 0), 3), (_WHITE, 1)):
        cv2.putText(image, said, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, color, width, cv2.LINE_AA)

"""Draws the examples of docs/why/passages.md: `python -m benchmarks.passages.examples FOLDER [--seed 77]`.

Pictures of two drawn clips, each reading in the color of its passage: a queue of a fleet, and a plate that something
covers. What is shown is what the writer made of them.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.passages import clips
from benchmarks.passages.judge import Judged, judge
from benchmarks.passages.readings import read_clips
from benchmarks.passages.rules import todays
from sightline.settings import load_settings
from storage.plates.text import plate_chars
from workers.pixels.images import BgrImage, decode

_WIDTH_PX, _COLUMNS, _LINE_PX = 360, 3, 30
_CROP_PX, _CROP_WIDTH_PX = 56, 170
_PAPER, _INK = (255, 255, 255), (60, 60, 60)
#: Blue, green, red; one for each passage.
_COLORS = ((180, 119, 31), (14, 127, 255), (44, 160, 44), (40, 39, 214), (189, 103, 148), (75, 86, 140))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.passages.examples", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--clips", type=int, default=170, help="look for the examples among so many (%(default)s)")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    _write(arguments, "passages-queue.png", ("queue",), lambda one: one.is_perfect and len(one.passages) >= 4, 6)
    _write(arguments, "passages-covered.png", ("bad, queue", "bad, alone", "bad, fleet"), _is_composed, 9)


def _is_composed(one: Judged) -> bool:
    """Whether a vehicle is right although no picture shows its whole plate."""
    return any(vehicle.is_right and not vehicle.was_read for vehicle in one.vehicles)


def _write(
    arguments: argparse.Namespace,
    name: str,
    scenarios: Sequence[str],
    is_telling: Callable[[Judged], bool],
    pictures: int,
) -> None:
    names = clips.scenarios()
    numbers = [number for number in range(arguments.clips) if names[number % len(names)] in scenarios]
    settings = load_settings()
    read = read_clips(arguments.seed, numbers, settings, Path("data/passages"), lambda: None)
    judged = [judge(clip, passages) for clip, passages in zip(read, todays(read, settings), strict=True)]
    telling = next(one for one in judged if is_telling(one))
    cv2.imwrite(str(arguments.folder / name), _sheet(telling, arguments.seed, pictures))


def _sheet(one: Judged, seed: int, pictures: int) -> BgrImage:
    """Some pictures in the order of time, below them the passages."""
    with_plates = [index for index, frame in enumerate(one.clip.frames) if frame.result.readings]
    if any(not vehicle.was_read for vehicle in one.vehicles):
        with_plates = _of_composed(one)
    count = min(pictures, len(with_plates))
    chosen = [with_plates[i * len(with_plates) // count] for i in range(count)]
    shots = clips.draw(seed, one.clip.number).shots
    drawn = [_tile(one, decode(shots[index].jpeg, max_mpx=10), index) for index in chosen]
    rows = [np.hstack(_filled(drawn[start : start + _COLUMNS])) for start in range(0, len(drawn), _COLUMNS)]
    return np.vstack([*rows, _legend(one, rows[0].shape[1], set(chosen))])


def _of_composed(one: Judged) -> list[int]:
    name = next(vehicle.name for vehicle in one.vehicles if vehicle.is_right and not vehicle.was_read)
    keys = {key for key, vehicle in one.seen_by.items() if vehicle == name}
    return [
        index
        for index, frame in enumerate(one.clip.frames)
        if any(frame_id == frame.result.frame.frame_id for frame_id, _ in keys)
    ]


def _filled(row: Sequence[BgrImage]) -> list[BgrImage]:
    return [*row, *[np.full_like(row[0], 255)] * (_COLUMNS - len(row))]


def _tile(one: Judged, image: BgrImage, index: int) -> BgrImage:
    """A picture with its readings in the colors of their passages, and below it the surest one's crop and text."""
    frame = one.clip.frames[index]
    scale = _WIDTH_PX / image.shape[1]
    small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    below = np.full((_CROP_PX, _WIDTH_PX, 3), _PAPER, np.uint8)
    read = sorted(enumerate(frame.result.readings), key=lambda each: each[1].confidence)
    for number, reading in read:
        passage = _passage_of(one, (frame.result.frame.frame_id, number))
        if reading.detection_index is None or passage is None:
            continue
        color = _COLORS[passage % len(_COLORS)]
        box = frame.result.detections[reading.detection_index].xyxy
        x1, y1, x2, y2 = (round(each * scale) for each in box)
        cv2.rectangle(small, (x1 - 3, y1 - 3), (x2 + 3, y2 + 3), color, 2, cv2.LINE_AA)
        x1, y1, x2, y2 = (max(0, round(each)) for each in box)
        crop = cv2.resize(image[y1:y2, x1:x2], (_CROP_WIDTH_PX, _CROP_PX - 12), interpolation=cv2.INTER_CUBIC)
        below[6 : _CROP_PX - 6, 6 : 6 + _CROP_WIDTH_PX] = crop
        below[:, _CROP_WIDTH_PX + 12 :] = _PAPER
        _say(below, plate_chars(reading.text), (_CROP_WIDTH_PX + 20, 22), color)
        _say(below, f"{reading.confidence:.2f} at {frame.time_s:.1f} s", (_CROP_WIDTH_PX + 20, 44), _INK)
    return np.vstack([small, below])


def _legend(one: Judged, width: int, shown: set[int]) -> BgrImage:
    frames = {one.clip.frames[index].result.frame.frame_id for index in shown}
    told = [
        (number, passage)
        for number, passage in enumerate(one.passages)
        if any(frame_id in frames for frame_id, _ in passage.readings)
    ]
    legend = np.full((_LINE_PX * len(told) + 10, width, 3), _PAPER, np.uint8)
    for line, (number, passage) in enumerate(reversed(told)):
        text = f"passage {passage.text}: {len(passage.readings)} readings, confidence {passage.confidence:.2f}"
        _say(legend, text, (12, _LINE_PX * (line + 1) - 6), _COLORS[number % len(_COLORS)], 0.6)
    return legend


def _passage_of(one: Judged, key: tuple[str, int]) -> int | None:
    return next((number for number, passage in enumerate(one.passages) if key in passage.readings), None)


def _say(image: BgrImage, text: str, at: tuple[int, int], color: tuple[int, int, int], size: float = 0.55) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)


if __name__ == "__main__":
    main()

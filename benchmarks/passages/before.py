"""What the rules of before made of the same readings. `rules_of_before/` holds them as they stood, to compare with:
only what is pure, with names as they were. They are not used by Sightline and not to be changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from benchmarks.passages.readings import ReadClip
from benchmarks.passages.rules import Passage
from benchmarks.passages.rules_of_before.contests import assign, is_contested
from benchmarks.passages.rules_of_before.linking import Point, find_stands, link
from benchmarks.passages.rules_of_before.passages import Sighting, Tally, sum_tallies
from benchmarks.passages.rules_of_before.plates import read_plate
from sightline.settings import Settings


def of_before(clips: Sequence[ReadClip], settings: Settings) -> list[list[Passage]]:
    """All readings of a clip at once: those rules gave the same in whatever order readings came."""
    gap, parked_gap = timedelta(seconds=settings.passage_gap_s), timedelta(seconds=settings.parked_gap_s)
    return [list(_passages(list(_sightings(clip)), gap, parked_gap)) for clip in clips]


def _passages(sightings: list[Sighting], gap: timedelta, parked_gap: timedelta) -> Iterator[Passage]:
    points = [Point(one.key, one.text, one.seen_at, one.frame_id, one.spot, one.xyxy) for one in sightings]
    stands = find_stands(points, gap) if parked_gap > gap else []
    by_key = {one.key: one for one in sightings}
    for keys in link(points, gap, stands, parked_gap):
        group = [by_key[key] for key in sorted(keys)]
        parts = [vehicle.sightings for vehicle in assign(group)] if is_contested(group) else [group]
        for part in parts:
            total = sum_tallies([Tally.of(one) for one in part])
            yield Passage(total.text, total.confidence, frozenset((one.frame_id, one.reading_index) for one in part))


def _sightings(clip: ReadClip) -> Iterator[Sighting]:
    for frame in clip.frames:
        result = frame.result
        for index, reading in enumerate(result.readings):
            box = None if reading.detection_index is None else result.detections[reading.detection_index]
            plate = read_plate(
                reading.text, reading.confidence, reading.char_confidences, label=box.label if box else ""
            )
            if plate is not None:
                yield Sighting(
                    source_id=clip.source_id,
                    seen_at=result.frame.captured_at,
                    frame_id=result.frame.frame_id,
                    reading_index=index,
                    text=plate.text,
                    weights=plate.weights,
                    confidence=reading.confidence,
                    xyxy=box.xyxy if box else None,
                    sharpness=reading.sharpness,
                )

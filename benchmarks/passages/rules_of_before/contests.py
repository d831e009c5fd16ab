"""Two plates in one frame that linking would make one passage: who gets which reading. Pure: no SQL here.

A contest is a set of connected readings in which a frame has two plates at different boxes. Its frames are gone
through in the order of time; in each, plates go to the vehicles whose texts and places they fit best, each vehicle at
most one. So it is a function of the set of readings: in whatever order they come, the passages are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import combinations, groupby
from typing import Final

from benchmarks.passages.rules_of_before.passages import Sighting
from benchmarks.passages.rules_of_before.places import distance, is_same_box, spot_of
from benchmarks.passages.rules_of_before.plates import fold, plate_distance
from sightline.types import Xyxy

#: Plate widths of movement that count as much as one wrong character. A second makes distances count half.
_WIDTHS_PER_ERROR: Final = 3.0
#: What does not fit better than this is another vehicle.
_MAX_COST: Final = 3.0


class Vehicle:
    """What is known of one vehicle while frames are gone through."""

    def __init__(self, text: str | None = None, box: Xyxy | None = None, seen_at: datetime | None = None) -> None:
        self._texts = Counter([fold(text)] if text else [])
        self._box = box
        self._seen_at = seen_at
        self.sightings: list[Sighting] = []

    def cost(self, one: Sighting) -> float:
        """How badly a reading fits: wrong characters, and the way it would have to go."""
        text = min(self._texts, key=lambda text: (-self._texts[text], text))
        elapsed_s = abs((one.seen_at - self._seen_at).total_seconds()) if self._seen_at else 0.0
        widths = distance(spot_of(self._box), one.spot)
        return plate_distance(text, fold(one.text)) + widths / _WIDTHS_PER_ERROR / (1 + elapsed_s)

    def add(self, one: Sighting) -> None:
        self._texts[fold(one.text)] += 1
        self._box, self._seen_at = one.xyxy or self._box, one.seen_at
        self.sightings.append(one)


def is_contested(sightings: Iterable[Sighting]) -> bool:
    """Whether two plates of one frame are among these."""
    by_frame = groupby(sorted(sightings, key=lambda one: one.frame_id), key=lambda one: one.frame_id)
    return any(
        not is_same_box(one.xyxy, other.xyxy) for _, of_frame in by_frame for one, other in combinations(of_frame, 2)
    )


def assign(sightings: Iterable[Sighting], known: Sequence[Vehicle] = ()) -> list[Vehicle]:
    """The vehicles that were seen: those `known` first, then others as they come."""
    vehicles = list(known)
    ordered = sorted(sightings, key=lambda one: (one.seen_at, one.frame_id, one.reading_index))
    for _, of_frame in groupby(ordered, key=lambda one: (one.seen_at, one.frame_id)):
        plates = _plates(list(of_frame))
        free = list(range(len(vehicles)))
        costs = sorted(
            (vehicles[number].cost(plate[0]), number, index) for number in free for index, plate in enumerate(plates)
        )
        taken: dict[int, int] = {}
        for cost, number, index in costs:
            if cost <= _MAX_COST and index not in taken and number not in taken.values():
                taken[index] = number
        for index, plate in enumerate(plates):
            if index not in taken:
                vehicles.append(Vehicle())
            vehicle = vehicles[taken.get(index, -1)]
            for one in plate:
                vehicle.add(one)
    return vehicles


def _plates(of_frame: list[Sighting]) -> list[list[Sighting]]:
    """The readings of a frame by plate: boxes that overlap hold the same one."""
    plates: list[list[Sighting]] = []
    for one in sorted(of_frame, key=lambda one: (-one.confidence, one.reading_index)):
        same = next((plate for plate in plates if is_same_box(plate[0].xyxy, one.xyxy)), None)
        if same is None:
            plates.append([one])
        else:
            same.append(one)
    return sorted(plates, key=lambda plate: plate[0].reading_index)

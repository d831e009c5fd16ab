"""Sightings, short to write down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sightline.types import Xyxy
from storage.passages.association import Association, Rules
from storage.plates.sightings import Sighting, make_sighting
from storage.plates.text import Plate, weight

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
GAP = timedelta(seconds=10)
RULES = Rules(GAP, timedelta(0))
#: With a minute for what stands still.
PARKING = Rules(GAP, timedelta(seconds=60))
PICTURE = (1280, 720)
HERE: Xyxy = (100.0, 400.0, 200.0, 425.0)
THERE: Xyxy = (900.0, 400.0, 1000.0, 425.0)


def moved(box: Xyxy, x: float, y: float = 0.0, growth: float = 1.0) -> Xyxy:
    left, top, right, bottom = box
    return (left + x, top + y, left + x + (right - left) * growth, top + y + (bottom - top) * growth)


def sighting(
    text: str,
    box: Xyxy | None = None,
    *,
    at_s: float = 0,
    sure: float | Sequence[float] = 0.99,
    frame: str | None = None,
    index: int = 0,
    sequence: str | None = "live",
    sharpness: float | None = None,
) -> Sighting:
    """`sure`: the confidence of each character, or of all."""
    chars = [sure] * len(text) if isinstance(sure, (int, float)) else sure
    return make_sighting(
        Plate(text, tuple(map(weight, chars))),
        source_id="gate",
        seen_at=NOON + timedelta(seconds=at_s),
        frame_id=frame or f"frame-{at_s:07.2f}",
        reading_index=index,
        confidence=min(chars),
        xyxy=box,
        size=PICTURE,
        sharpness=sharpness,
        sequence=sequence,
    )


def photo(text: str, *, at_s: float = 0, sure: float | Sequence[float] = 0.99, frame: str | None = None) -> Sighting:
    return sighting(text, HERE, at_s=at_s, sure=sure, frame=frame, sequence=None)


def vehicles_of(sightings: Iterable[Sighting], rules: Rules = RULES) -> list[list[str]]:
    """The texts of each vehicle, in the order of its sightings."""
    of_all = list(sightings)
    association = Association([], rules, is_sequence=of_all[0].sequence is not None)
    association.go_on(of_all)
    return [[one.text for one in vehicle.sightings] for vehicle in association.vehicles]

"""A sighting: one reading that looks like a plate, as far as passages need it. Pure: no SQL here."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final, NamedTuple

from sightline.types import Xyxy
from storage.plates.geometry import cut_sides, spot_of
from storage.plates.text import Plate

#: A plate this wide, in pixels, is as good as any wider one.
_WIDE_PX: Final = 160.0
#: Sharpness at which a crop is half as good as a perfectly sharp one; see `Reading.sharpness`.
_HALF_SHARP: Final = 100.0
#: The most that a character weighs of which a part may be outside of the picture, in thousandths.
CUT_WEIGHT: Final = 400
#: A plate at the edge seems to be whole if each of its characters weighs as much.
SEEMS_WHOLE: Final = 900
#: With a character that weighs less, one text of fifteen is right at most, see `confusions.p_text_right`.
HOPELESS: Final = 300


class Sighting(NamedTuple):
    """One plate-like reading. `weights` are the character confidences in thousandths."""

    source_id: str
    seen_at: datetime
    frame_id: str
    reading_index: int
    text: str
    weights: tuple[int, ...]
    confidence: float
    xyxy: Xyxy | None
    sharpness: float | None = None
    sequence: str | None = None
    is_cut: bool = False  #: by the edge of the picture
    may_found: bool = True  #: whether this alone tells that there is a vehicle
    zone: str | None = None  #: of its camera

    @property
    def key(self) -> str:
        """Names the reading, and the passage it founds."""
        return f"{self.frame_id}.{self.reading_index}"

    @property
    def spot(self) -> int | None:
        return spot_of(self.xyxy)  # cached there: it is asked for more than once

    @property
    def score(self) -> int:
        """How good its crop is to look at, in thousandths: confidence, size and, where it is known, sharpness."""
        size = 1.0 if self.xyxy is None else min(1.0, math.sqrt(max(0.0, self.xyxy[2] - self.xyxy[0]) / _WIDE_PX))
        sharp = 1.0 if self.sharpness is None else self.sharpness / (self.sharpness + _HALF_SHARP)
        return round(1000 * self.confidence * size * sharp)


def make_sighting(
    plate: Plate,
    *,
    source_id: str,
    seen_at: datetime,
    frame_id: str,
    reading_index: int,
    confidence: float,
    xyxy: Xyxy | None,
    size: tuple[int, int],
    sharpness: float | None,
    sequence: str | None,
    zone: str | None = None,
) -> Sighting:
    """The sighting of a plate in a picture of this `size`, width and height in pixels; (0, 0) where it is not known.

    In a sequence what the edge of the picture cuts off comes whole a moment before or after. So what cannot be read
    surely has little weight, the character at that end, or all where the top or bottom is cut; and only what seems to
    be whole all the same tells of a vehicle. Nor does a hopeless reading: better ones come.
    """
    weights, is_cut = plate.weights, False
    may_found = sequence is None or min(weights) >= HOPELESS
    if sequence is not None and xyxy is not None and all(size):
        left, right, flat = cut_sides(xyxy, *size)
        is_cut = left or right or flat
        may_found = may_found and not flat and (not is_cut or min(weights) >= SEEMS_WHOLE)
        doubtful = {0 if left else None, len(weights) - 1 if right else None}
        weights = tuple(min(each, CUT_WEIGHT) if flat or at in doubtful else each for at, each in enumerate(weights))
    return Sighting(
        source_id,
        seen_at,
        frame_id,
        reading_index,
        plate.text,
        weights,
        confidence,
        xyxy,
        sharpness,
        sequence,
        is_cut,
        may_found,
        zone,
    )

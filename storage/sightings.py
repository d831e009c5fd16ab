"""A sighting: one reading that looks like a plate, as far as passages need it. Pure: no SQL here."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final, NamedTuple

from sightline.types import Xyxy
from storage.places import spot_of

#: A plate this wide, in pixels, is as good as any wider one.
_WIDE_PX: Final = 160.0
#: Sharpness at which a crop is half as good as a perfectly sharp one; see `Reading.sharpness`.
_HALF_SHARP: Final = 100.0


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

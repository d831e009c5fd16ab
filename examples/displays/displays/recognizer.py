"""Reads digits of seven segments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from displays.detector import lit_pixels
from sightline.settings import Settings
from sightline.types import Reading
from sightline.wire.models import LoadedModel
from workers.pixels.images import BgrImage

#: Middle of each segment, as shares of width and height: top, upper left, upper right, middle, lower left, lower right,
#: bottom.
SEGMENTS = ((0.5, 0.06), (0.1, 0.27), (0.9, 0.27), (0.5, 0.5), (0.1, 0.73), (0.9, 0.73), (0.5, 0.94))
#: Which segments of a digit are lit.
DIGITS = {
    "1110111": "0",
    "0010010": "1",
    "1011101": "2",
    "1011011": "3",
    "0111010": "4",
    "1101011": "5",
    "1101111": "6",
    "1010010": "7",
    "1111111": "8",
    "1111011": "9",
}


def open_recognizer(_settings: Settings) -> SevenSegmentRecognizer:
    return SevenSegmentRecognizer()


class SevenSegmentRecognizer:
    model = LoadedModel(name="seven-segment", sha256="", runtime="numpy")

    def recognize(self, crops: Sequence[BgrImage]) -> list[Reading]:
        return [read(crop) for crop in crops]


def read(crop: BgrImage) -> Reading:
    """The digits from left to right; no text if one of them is none."""
    lit = lit_pixels(crop)
    rows = np.flatnonzero(lit.max(axis=1))
    if len(rows) == 0:
        return Reading(text="", confidence=0.0)
    lit = lit[rows[0] : rows[-1] + 1]
    signs = [read_digit(lit[:, start:end]) for start, end in runs(lit.max(axis=0))]
    text = "".join(digit for digit, _ in signs)
    if len(text) < len(signs):
        return Reading(text="", confidence=0.0)
    confidences = tuple(confidence for _, confidence in signs)
    return Reading(text=text, confidence=min(confidences), char_confidences=confidences)


def read_digit(lit: BgrImage) -> tuple[str, float]:
    """A digit, "" if it is none, and how clearly its segments are on or off, 0..1."""
    height, width = lit.shape
    if width < height / 3:
        return "1", float(lit.mean())
    half = max(1, height // 30)
    shares: list[float] = []
    for x, y in SEGMENTS:
        column, row = round(x * (width - 1)), round(y * (height - 1))
        around = lit[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1]
        shares.append(float(around.mean()))
    pattern = "".join("1" if share > 0.5 else "0" for share in shares)
    return DIGITS.get(pattern, ""), min(abs(share - 0.5) * 2 for share in shares)


def runs(columns: BgrImage) -> list[tuple[int, int]]:
    """Start and end of each run of lit columns."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], columns.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))

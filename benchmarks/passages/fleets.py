"""Plates to draw: any one, or those of a fleet, which share most of their characters."""

from __future__ import annotations

import numpy as np

from storage.plates.text import fold, refusal
from training.plates.drawing.plate import Plate, draw_plate
from training.plates.drawing.styles import STYLES, Style

#: What a pattern leaves open. A literal nine cannot be written in one, so fleets have none.
_OPEN = "A9?"
_DIGITS = "012345678"
_MOST_CHANGES = 3


def any_plate(rng: np.random.Generator, taken: set[str], *, one_line: bool = False) -> Plate:
    """A plate of any style that has the form of a plate. `taken`: folded plates; the new one is added."""
    while True:
        plate = draw_plate(rng)
        if _is_free(plate, taken) and not (one_line and len(plate.lines) > 1):
            taken.add(fold(plate.text))
            return plate


class Fleet:
    """Plates of one style, each one to three characters different from the first: BA731XY, BA482XY, BA731XZ."""

    def __init__(self, rng: np.random.Generator, taken: set[str]) -> None:
        self._rng, self._taken = rng, taken
        while True:
            self._style, pattern = _fleet_style(rng)
            self._first = "".join(self._fill(sign) for sign in pattern)
            self._places = [place for place, sign in enumerate(pattern) if sign in _OPEN]
            if refusal(self._draw(self._first).text) is None:
                break

    def next(self) -> Plate:
        """One that no other vehicle of the clip has, even if a reader mixes up what readers mix up."""
        while True:
            signs = list(self._first)
            changes = int(self._rng.integers(1, _MOST_CHANGES + 1))
            for place in self._rng.choice(self._places, changes, replace=False):
                signs[place] = self._fill("9" if signs[place].isdigit() else "A")
            plate = self._draw("".join(signs))
            if _is_free(plate, self._taken):
                self._taken.add(fold(plate.text))
                return plate

    def _draw(self, pattern: str) -> Plate:
        return draw_plate(self._rng, self._style._replace(patterns=(pattern,)))

    def _fill(self, sign: str) -> str:
        """A sign of a pattern as one that leaves nothing open: a digit, or a small letter."""
        if sign == "?":
            sign = "A" if self._rng.random() < 0.6 else "9"
        if sign == "A":
            return str(self._rng.choice(list(self._style.letters))).lower()
        return str(self._rng.choice(list(_DIGITS))) if sign == "9" else sign


def _fleet_style(rng: np.random.Generator) -> tuple[Style, str]:
    """A style as common as it is among drawn plates, and one of its patterns of one line with room for a fleet."""
    while True:
        style = STYLES[draw_plate(rng).style]
        plain = [
            pattern
            for pattern in style.patterns
            if not set(pattern) & set("/[{") and sum(sign in _OPEN for sign in pattern) > _MOST_CHANGES
        ]
        if plain:
            return style, str(rng.choice(plain))


def _is_free(plate: Plate, taken: set[str]) -> bool:
    return fold(plate.text) not in taken and refusal(plate.text) is None

"""Counts of what a reader made of plates whose text is known: misread, lost and gained, and how sure it was."""

from __future__ import annotations

import bisect
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from rapidfuzz.distance import Levenshtein

from storage.plates.text import fold

Place = Literal["first", "inside", "last"]
PLACES: Final[tuple[Place, ...]] = ("first", "inside", "last")
#: Bins of confidence begin here. Most characters are read with more than 0.99: there they are narrow.
CHAR_BINS: Final = (
    0,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.8,
    0.85,
    0.9,
    0.93,
    0.95,
    0.97,
    0.98,
    0.985,
    0.99,
    0.995,
    0.998,
    0.9995,
)
TEXT_BINS: Final = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
#: Bins of how much of the picture is left between the plate and the edge of its crop, in plate heights.
ROOM_BINS: Final = (-9, -0.3, -0.1, 0, 0.1, 0.2)
#: A reading with a larger share of wrong characters is garbled: which of them became which other one nobody can say.
_GARBLED: Final = 0.5


@dataclass
class Bins:
    """How many were right in each bin of a figure; `of` counts those, `looks_alike` what was a look-alike instead."""

    starts: Sequence[float]
    of: Counter[int] = field(default_factory=Counter[int])
    right: Counter[int] = field(default_factory=Counter[int])
    looks_alike: Counter[int] = field(default_factory=Counter[int])
    total: Counter[int] = field(default_factory=Counter[int])  #: of the figure, in millionths

    def add(self, value: float, *, right: bool, looks_alike: bool = False) -> None:
        index = bisect.bisect_right(self.starts, value) - 1
        self.of[index] += 1
        self.right[index] += right
        self.looks_alike[index] += looks_alike
        self.total[index] += round(value * 1_000_000)

    def rows(self) -> list[dict[str, Any]]:
        """One for each bin that is not empty; `mean` is that of the figure."""
        return [
            {"from": self.starts[index], "mean": round(self.total[index] / count / 1_000_000, 5), "of": count}
            | {"right": self.right[index]}
            | ({"looks_alike": self.looks_alike[index]} if self.looks_alike.total() else {})
            for index, count in sorted(self.of.items())
        ]


class Counts:
    """What came of readings. `add` one after the other."""

    def __init__(self) -> None:
        self.readings = Counter[str]()  #: "read", and which of them were "right" or "garbled"
        #: The next five are of readings that are not garbled.
        self.chars: Counter[str] = Counter()  #: of true texts
        self.misread: dict[str, Counter[str]] = defaultdict(Counter)  #: true -> read
        self.places: Counter[Place] = Counter()
        self.lost: Counter[Place] = Counter()
        self.gained: Counter[Place] = Counter()
        self.char_confidence = Bins(CHAR_BINS)
        self.text_confidence = {name: Bins(TEXT_BINS) for name in ("least", "mean", "product")}
        #: whether the first and the last character were read, by the room that the crop leaves at this end
        self.ends = Bins(ROOM_BINS)

    def add(self, true: str, read: str, confidences: Sequence[float], room: tuple[float, float]) -> None:
        """One reading. `room`: between the plate and the left and right edge of its crop, in plate heights."""
        is_garbled = Levenshtein.distance(true, read) > _GARBLED * len(true)
        self.readings.update({"read": 1, "right": read == true, "garbled": is_garbled})
        for name, value in _of_text(confidences).items():
            self.text_confidence[name].add(value, right=read == true)
        meant = [""] * len(read)  # for each character that was read the true one
        lost: set[int] = set()
        for block in Levenshtein.opcodes(true, read):
            if block.tag == "delete":
                lost |= set(range(block.src_start, block.src_end))
            elif block.tag != "insert":
                meant[block.dest_start : block.dest_end] = true[block.src_start : block.src_end]
        for char, confidence, its in zip(read, confidences, meant, strict=True):
            alike = char != its and fold(char) == fold(its)
            self.char_confidence.add(confidence, right=char == its, looks_alike=alike)
        for at, left in zip((0, len(true) - 1), room, strict=True):
            self.ends.add(left, right=at not in lost)
        if not is_garbled:
            self._add_characters(true, read, meant, lost)

    def _add_characters(self, true: str, read: str, meant: list[str], lost: set[int]) -> None:
        for at, (char, its) in enumerate(zip(read, meant, strict=True)):
            if not its:
                self.gained[_place(at, len(read))] += 1
            elif char != its:
                self.misread[its][char] += 1
        for at, char in enumerate(true):
            self.chars[char] += 1
            self.places[_place(at, len(true))] += 1
            self.lost[_place(at, len(true))] += at in lost

    def table(self) -> dict[str, Any]:
        """All of it, sorted and JSON-able."""
        return {
            "misread": {
                char: {"of": self.chars[char], "as": dict(sorted(self.misread[char].items()))}
                for char in sorted(self.chars)
            },
            "char_confidence": self.char_confidence.rows(),
            "lost": {place: {"of": self.places[place], "lost": self.lost[place]} for place in PLACES},
            "gained": {place: {"of": sum(self.places.values()), "gained": self.gained[place]} for place in PLACES},
            "ends_kept_by_room": self.ends.rows(),
        } | {f"text_by_{name}": bins.rows() for name, bins in self.text_confidence.items()}


def _of_text(confidences: Sequence[float]) -> dict[str, float]:
    return {
        "least": min(confidences),
        "mean": sum(confidences) / len(confidences),
        "product": math.prod(confidences),
    }


def _place(at: int, length: int) -> Place:
    return "first" if at == 0 else "last" if at == length - 1 else "inside"

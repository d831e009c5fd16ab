"""What our reader of plates confuses, as `reader_confusions.json` has it counted.

`python -m training.plates.measuring.measure_confusions` writes that file. It has counts, so smoothing is done
here, once, at the first question. With another reader the figures are off, but its look-alikes are much the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: In most styles these are the same strokes.
ALIKE: Final = str.maketrans("OQI", "001")
_FILE: Final = Path(__file__).with_name("reader_confusions.json")
#: Every character may be read as any other one: it was, so often, before anything was counted.
_UNSEEN: Final = 0.5
#: So many more of each character were read as an average reader would, before anything was counted.
_AVERAGE: Final = 100
#: Nobody is surer than this that a character is right, or wrong.
_LEAST, _MOST = 0.02, 0.998
_CHEAPEST: Final = 0.05  #: nothing but the same text is at the distance 0
_STEPS: Final = 1000  #: of a confidence

Place = Literal["first", "inside", "last"]
Curve = tuple[float, ...]


class _Measured(NamedTuple):
    char_right: Curve
    text_right: Curve
    misread: dict[str, float]  #: share of true characters
    read_as: dict[tuple[str, str], float]  #: (true, read) -> share of what is misread
    meant: dict[tuple[str, str], float]  #: (true, read) -> share of what is wrong where this is read
    cost: dict[tuple[str, str], float]  #: (true, read); see `confusion_cost`
    lost: dict[str, float]  #: by place; share of true characters
    gained: dict[str, float]  #: by place; for each true character


def p_char_right(confidence: float) -> float:
    """How likely a character is what it was read as with this confidence, 0..1."""
    return _at(_measured().char_right, confidence)


def p_text_right(least_confidence: float) -> float:
    """How likely a whole text is right whose least sure character was read with this confidence, 0..1."""
    return _at(_measured().text_right, least_confidence)


def p_misread(true: str) -> float:
    """How likely a character is read as another one; A-Z, 0-9."""
    return _measured().misread[true]


def p_read_as(true: str, read: str) -> float:
    """How likely a character that is misread is read as this other one. All that it can be read as add up to 1."""
    return _measured().read_as[true, read]


def p_meant(true: str, read: str) -> float:
    """How likely a character that is wrong where `read` was read is this one, if all are as frequent.

    Where a 0 is wrong it is mostly an O: that doubt says nothing of an 8.
    """
    return _measured().meant[true, read]


@cache
def p_alike(read: str) -> float:
    """How much of the doubt about a character is only which of those that are drawn alike it is: O or 0, I or 1."""
    same = read.translate(ALIKE)
    return sum(p_meant(true, read) for true in CHARACTERS if true != read and true.translate(ALIKE) == same)


def confusion_cost(true: str, read: str) -> float:
    """What it costs to take one character for another that it was read as, 0..1.

    1 if that happens as rarely as with an average pair of characters or more rarely, nothing if it always happens, in
    between the logarithm of how often: as likely as both together is what costs as much as both together.
    """
    return 0.0 if true == read else _measured().cost.get((true, read), 1.0)


def p_lost(place: Place = "inside") -> float:
    """How likely a character at this place of a plate is not read at all."""
    return _measured().lost[place]


def p_gained(place: Place = "inside") -> float:
    """How likely, for each character of a plate, a reading has one too many at this place."""
    return _measured().gained[place]


def monotone(points: Sequence[tuple[float, float]]) -> list[float]:
    """The never falling values that are nearest to (weight, value): neighbors in the wrong order become their mean.

    Pool adjacent violators: Ayer et al., An empirical distribution function for sampling with incomplete information
    (1955).
    """
    pools: list[tuple[float, float, int]] = []  # weight, value, how many points
    for weight, value in points:
        pool = (weight, value, 1)
        while pools and pools[-1][1] > pool[1]:
            before = pools.pop()
            both = before[0] + pool[0]
            pool = (both, (before[0] * before[1] + pool[0] * pool[1]) / both, before[2] + pool[2])
        pools.append(pool)
    return [value for _, value, count in pools for _ in range(count)]


@cache
def _measured() -> _Measured:
    counts: dict[str, Any] = json.loads(_FILE.read_text("ascii"))
    of = {true: its["of"] for true, its in counts["misread"].items()}
    read_as = {(true, read): its["as"].get(read, 0) for true, its in counts["misread"].items() for read in CHARACTERS}
    wrong = {true: sum(read_as[true, read] for read in CHARACTERS) for true in CHARACTERS}
    pairs = [pair for pair in read_as if pair[0] != pair[1]]
    unseen = _UNSEEN * (len(CHARACTERS) - 1)
    average = sum(wrong.values()) / sum(of.values()) / (len(CHARACTERS) - 1)
    rates = {(true, read): (read_as[true, read] + _UNSEEN) / (of[true] + unseen) for true, read in pairs}
    mistaken = {read: sum(rates[true, read] for true in CHARACTERS if true != read) for read in CHARACTERS}
    return _Measured(
        char_right=_curve(counts["char_confidence"]),
        text_right=_curve(counts["text_by_least"]),
        misread={true: (wrong[true] + 1) / (of[true] + 2) for true in CHARACTERS},
        read_as={(true, read): (read_as[true, read] + _UNSEEN) / (wrong[true] + unseen) for true, read in pairs},
        meant={(true, read): rate / mistaken[read] for (true, read), rate in rates.items()},
        cost={
            (true, read): _cost((read_as[true, read] + _AVERAGE * average) / (of[true] + _AVERAGE), average)
            for true, read in pairs
        },
        lost={place: (its["lost"] + 1) / (its["of"] + 2) for place, its in counts["lost"].items()},
        gained={place: (its["gained"] + 1) / (its["of"] + 2) for place, its in counts["gained"].items()},
    )


def _cost(share: float, average: float) -> float:
    return min(1.0, max(_CHEAPEST, round(math.log(share) / math.log(average), 2)))


def _curve(bins: Sequence[dict[str, Any]]) -> Curve:
    """How likely it is to be right, for every thousandth of confidence: a line through the bins that never falls."""
    rising = monotone([(each["of"], (each["right"] + 1) / (each["of"] + 2)) for each in bins])
    points = [(each["mean"], right) for each, right in zip(bins, rising, strict=True)]
    return tuple(min(max(_between(points, step / _STEPS), _LEAST), _MOST) for step in range(_STEPS + 1))


def _between(points: Sequence[tuple[float, float]], x: float) -> float:
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]


def _at(curve: Curve, confidence: float) -> float:
    return curve[min(max(round(confidence * _STEPS), 0), _STEPS)]

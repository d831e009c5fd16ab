"""Which readings belong to one passage, and what a passage says. Pure: no SQL here.

Two plate-like readings of one source belong together if their times are at most `passage_gap_s` apart and their texts
are similar; a passage is everything connected in this way (single linkage). A passage is described by sums, minima and
maxima alone, so neither the order of readings nor their division into bundles can change it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import NamedTuple, TypedDict

from sightline.types import Xyxy
from storage.plates import WEIGHT_OF_CERTAINTY, fold, similar, weight


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

    @property
    def key(self) -> str:
        """Names the reading, and the passage it founds."""
        return f"{self.frame_id}.{self.reading_index}"


class Best(NamedTuple):
    """The surest reading of a passage: whose crop to show."""

    confidence: float
    seen_at: datetime
    frame_id: str
    reading_index: int
    xyxy: Xyxy | None


class LengthVotes(TypedDict):
    """Votes of all readings of one length. JSON-able; weights are thousandths."""

    count: int
    weight: int
    chars: list[dict[str, int]]  #: per position: character -> weight


#: Length of the text -> votes. JSON knows no integer keys, hence strings.
Votes = dict[str, LengthVotes]


@dataclass(frozen=True, slots=True)
class Tally:
    """What a set of readings says together. `of` starts one, `+` joins two; the order does not matter."""

    source_id: str
    first_seen: datetime
    last_seen: datetime
    reading_count: int
    best: Best
    votes: Votes

    @classmethod
    def of(cls, one: Sighting) -> Tally:
        chars = [{char: weight} for char, weight in zip(one.text, one.weights, strict=True)]
        votes: Votes = {str(len(one.text)): {"count": 1, "weight": weight(one.confidence), "chars": chars}}
        best = Best(one.confidence, one.seen_at, one.frame_id, one.reading_index, one.xyxy)
        return cls(one.source_id, one.seen_at, one.seen_at, 1, best, votes)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            source_id=self.source_id,
            first_seen=min(self.first_seen, other.first_seen),
            last_seen=max(self.last_seen, other.last_seen),
            reading_count=self.reading_count + other.reading_count,
            best=min(self.best, other.best, key=_rank),
            votes=_add_votes(self.votes, other.votes),
        )

    @property
    def text(self) -> str:
        """The voted plate: the surest character at each position, among readings of the surest length."""
        return "".join(max(sorted(votes), key=votes.__getitem__) for votes in self._winners["chars"])

    @property
    def confidence(self) -> float:
        """How sure the voted characters are on average; a reading that saw another character counts as 0 there."""
        winners = self._winners
        total = sum(max(votes.values()) for votes in winners["chars"])
        return min(1.0, total / (WEIGHT_OF_CERTAINTY * winners["count"] * len(winners["chars"])))

    @property
    def _winners(self) -> LengthVotes:
        length = max(self.votes, key=lambda length: (self.votes[length]["weight"], int(length)))
        return self.votes[length]


class Point(NamedTuple):
    """A reading as far as linking goes. Points of one `key` belong together from the start."""

    key: str
    text: str
    seen_at: datetime


def link(points: Iterable[Point], gap: timedelta) -> list[set[str]]:
    """The keys of one source that belong together, as disjoint sets.

    Equal texts are joined to runs without a pause longer than `gap`. Between the first and the last reading of a run
    every moment has a reading within `gap`, so two runs of similar texts touch exactly if their intervals do.
    """
    sets = _DisjointSets()
    runs: dict[str, list[_Run]] = {}
    for point in sorted(points, key=lambda point: point.seen_at):
        of_text = runs.setdefault(fold(point.text), [])
        if of_text and point.seen_at - of_text[-1].end <= gap:
            of_text[-1].end = point.seen_at
            sets.join(of_text[-1].key, point.key)
        else:
            of_text.append(_Run(point.key, point.seen_at, point.seen_at))
            sets.add(point.key)
    for (one, its_runs), (other, other_runs) in combinations(runs.items(), 2):
        if similar(one, other):
            for a in its_runs:
                for b in other_runs:
                    if a.start - b.end <= gap and b.start - a.end <= gap:
                        sets.join(a.key, b.key)
    return sets.all()


@dataclass(slots=True)
class _Run:
    """Readings of one text without a pause."""

    key: str
    start: datetime
    end: datetime


class _DisjointSets:
    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def add(self, key: str) -> str:
        while (parent := self._parent.setdefault(key, key)) != key:
            self._parent[key] = self._parent[parent]  # halve the path for the next one
            key = self._parent[key]
        return key

    def join(self, one: str, other: str) -> None:
        self._parent[self.add(one)] = self.add(other)

    def all(self) -> list[set[str]]:
        sets: dict[str, set[str]] = {}
        for key in list(self._parent):
            sets.setdefault(self.add(key), set()).add(key)
        return list(sets.values())


def _rank(best: Best) -> tuple[float, datetime, str, int]:
    return (-best.confidence, best.seen_at, best.frame_id, best.reading_index)


def _add_votes(one: Votes, other: Votes) -> Votes:
    total: Votes = dict(one)
    for length, votes in other.items():
        mine = total.get(length)
        total[length] = votes if mine is None else _add_length(mine, votes)
    return total


def _add_length(one: LengthVotes, other: LengthVotes) -> LengthVotes:
    chars = [
        {char: a.get(char, 0) + b.get(char, 0) for char in sorted(a.keys() | b.keys())}
        for a, b in zip(one["chars"], other["chars"], strict=True)
    ]
    return {"count": one["count"] + other["count"], "weight": one["weight"] + other["weight"], "chars": chars}

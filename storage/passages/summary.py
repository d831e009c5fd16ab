"""What a passage says. Pure: no SQL here; which readings it is made of is decided in `association`.

A passage is described by sums, minima and maxima alone, so neither the order of readings nor their division into
bundles can change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from sightline.types import Xyxy
from storage.plates.geometry import Direction, direction
from storage.plates.sightings import Sighting
from storage.plates.votes import Origin, Verdict, Votes, add_votes, count_votes, vote


class Best(NamedTuple):
    """The reading of a passage whose crop is best to look at."""

    score: int
    confidence: float
    seen_at: datetime
    frame_id: str
    reading_index: int
    xyxy: Xyxy | None


class Place(NamedTuple):
    """Where the plate was at one moment. Ordered by time."""

    seen_at: datetime
    frame_id: str
    reading_index: int
    xyxy: Xyxy


@dataclass(frozen=True)
class Tally:
    """What a set of readings says together. `of` starts one, `sum_tallies` joins some; the order does not matter."""

    source_id: str
    sequence: str | None  #: what its pictures are of, see `FrameRef`
    first_seen: datetime
    last_seen: datetime
    reading_count: int
    best: Best
    votes: Votes
    path: tuple[Place, Place] | None  #: its first and last place; None if no reading has a box
    zones: frozenset[str] = frozenset()  #: of the camera, that it was read in

    @classmethod
    def of(cls, one: Sighting) -> Tally:
        place = None if one.xyxy is None else Place(one.seen_at, one.frame_id, one.reading_index, one.xyxy)
        return cls(
            source_id=one.source_id,
            sequence=one.sequence,
            first_seen=one.seen_at,
            last_seen=one.seen_at,
            reading_count=1,
            best=Best(one.score, one.confidence, one.seen_at, one.frame_id, one.reading_index, one.xyxy),
            votes=vote(one.text, one.weights),
            path=place and (place, place),
            zones=frozenset({one.zone} if one.zone else ()),
        )

    @cached_property
    def verdict(self) -> Verdict:
        return count_votes(self.votes, may_compose=self.sequence is not None)

    @property
    def text(self) -> str:
        """The voted plate."""
        return self.verdict.text

    @property
    def confidence(self) -> float:
        return self.verdict.confidence

    @property
    def origin(self) -> Origin:
        return self.verdict.origin

    @property
    def direction(self) -> Direction:
        return Direction.UNKNOWN if self.path is None else direction(self.path[0].xyxy, self.path[1].xyxy)


def sum_tallies(tallies: list[Tally]) -> Tally:
    """What they say together; at least one."""
    paths = [tally.path for tally in tallies if tally.path]
    return Tally(
        source_id=tallies[0].source_id,
        sequence=tallies[0].sequence,
        first_seen=min(tally.first_seen for tally in tallies),
        last_seen=max(tally.last_seen for tally in tallies),
        reading_count=sum(tally.reading_count for tally in tallies),
        best=min((tally.best for tally in tallies), key=_rank),
        votes=add_votes(*(tally.votes for tally in tallies)),
        path=(min(path[0] for path in paths), max(path[1] for path in paths)) if paths else None,
        zones=frozenset[str]().union(*(tally.zones for tally in tallies)),
    )


def _rank(best: Best) -> tuple[int, float, datetime, str, int]:
    return (-best.score, -best.confidence, best.seen_at, best.frame_id, best.reading_index)

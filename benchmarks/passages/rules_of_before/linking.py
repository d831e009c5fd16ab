"""Which readings belong together. Pure: no SQL here.

Two plate-like readings of one source belong together

- if their times are at most `passage_gap_s` apart and their texts are the same but for what readers mix up;
- or if their texts are similar, and the vehicle may have got from one place to the other in the time between;
- or if their texts have half in common, and one follows the other within a moment at the same place: so soon no other
  vehicle is there, however badly this one is read;
- or, up to `parked_gap_s`, if their texts are similar and one is where the other stood still.

Two of one frame belong together only if their boxes overlap. What is connected in this way is a passage (single
linkage), unless two plates of one frame are in it: see `contests`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import combinations, combinations_with_replacement
from typing import Final, NamedTuple

from benchmarks.passages.rules_of_before.places import is_same_box, is_still, is_within_reach
from benchmarks.passages.rules_of_before.plates import fold, resembling, similar
from sightline.types import Xyxy

#: Read twice at one place, so far apart in time: it stands.
REST: Final = timedelta(seconds=1)
#: No vehicle is where another one was so shortly before.
MOMENT: Final = timedelta(seconds=0.5)
_NOTHING: Final = timedelta(0)


class Point(NamedTuple):
    """A reading as far as linking goes. Points of one `key` belong together from the start.

    A frame comes as a whole: its readings are all new, or all known and linked before.
    """

    key: str
    text: str
    seen_at: datetime
    frame_id: str
    spot: int | None = None
    xyxy: Xyxy | None = None
    is_new: bool = True


class Stand(NamedTuple):
    """Where and when a plate stood still, under one of its readings. `key` as that of points."""

    key: str
    folded: str
    spot: int
    first_seen: datetime
    last_seen: datetime
    is_new: bool = True


def link(
    points: Iterable[Point], gap: timedelta, stands: Iterable[Stand] = (), parked_gap: timedelta = timedelta(0)
) -> list[set[str]]:
    """The keys of one source that belong together, as disjoint sets; a stand without points has none."""
    sets = _DisjointSets()
    by_text: dict[str, list[Point]] = defaultdict(list)
    for point in sorted(points, key=lambda point: point.seen_at):
        sets.add(point.key)
        by_text[fold(point.text)].append(point)
    for alike in by_text.values():
        _join_equal(sets, alike, gap)
    for (one, its), (other, others) in combinations(by_text.items(), 2):
        if similar(one, other):
            _join_similar(sets, its, others, gap)
        elif resembling(one, other):
            _join_following(sets, its, others)
    for stand in stands:
        for text, its in by_text.items():
            if similar(text, stand.folded):
                _join_standing(sets, stand, its, gap, parked_gap)
    return sets.all()


def find_stands(points: Iterable[Point], gap: timedelta) -> list[Stand]:
    """Where plates stood still, as far as new points say."""
    by_label: dict[tuple[str, int], list[Point]] = defaultdict(list)
    for point in sorted(points, key=lambda point: point.seen_at):
        if point.spot is not None:
            by_label[fold(point.text), point.spot].append(point)
    spans: dict[tuple[str, int], list[Stand]] = defaultdict(list)
    news = {label for label, its in by_label.items() if any(point.is_new for point in its)}
    for (label, its), (other, others) in combinations_with_replacement(list(by_label.items()), 2):
        if not (label in news or other in news):
            continue
        if is_still(label[1], other[1]) and similar(label[0], other[0]):
            for one, two in [*_rests(its, others, gap), *(_rests(others, its, gap) if label != other else ())]:
                first, last = sorted((one.seen_at, two.seen_at))
                for each in {label, other}:
                    spans[each].append(Stand(one.key, *each, first, last))
    return [stand for of_label in spans.values() for stand in _merged(of_label)]


def _merged(stands: list[Stand]) -> list[Stand]:
    """Stands of one label: those that overlap are one."""
    merged: list[Stand] = []
    for stand in sorted(stands, key=lambda stand: (stand.first_seen, stand.last_seen, stand.key)):
        last = merged[-1] if merged else None
        if last is None or last.last_seen < stand.first_seen:
            merged.append(stand)
        elif last.last_seen < stand.last_seen:
            merged[-1] = last._replace(last_seen=stand.last_seen)
    return merged


def _rests(its: list[Point], others: list[Point], gap: timedelta) -> list[tuple[Point, Point]]:
    """For each new one of `its`, the farthest of `others` in time that still shows it standing, before and after."""
    times = [point.seen_at for point in others]
    found: list[tuple[Point, Point]] = []
    for point in its:
        if not point.is_new:
            continue
        earliest = bisect_left(times, point.seen_at - gap)
        if earliest < len(times) and times[earliest] <= point.seen_at - REST:
            found.append((point, others[earliest]))
        latest = bisect_right(times, point.seen_at + gap) - 1
        if latest >= 0 and times[latest] >= point.seen_at + REST:
            found.append((point, others[latest]))
    return found


def _join_equal(sets: _DisjointSets, alike: list[Point], gap: timedelta) -> None:
    """Each with the one before it: what lies further back is connected to that already."""
    for index, point in enumerate(alike):
        joined_at: datetime | None = None
        for before in reversed(alike[:index]):
            too_far = point.seen_at - before.seen_at > gap
            if too_far or (joined_at is not None and before.seen_at < joined_at):
                break
            if point.frame_id != before.frame_id:
                if point.key != before.key:
                    sets.join(point.key, before.key)
                if before.seen_at < point.seen_at:
                    joined_at = before.seen_at
            elif point.is_new and is_same_box(point.xyxy, before.xyxy):
                sets.join(point.key, before.key)


def _join_similar(sets: _DisjointSets, its: list[Point], others: Sequence[Point], gap: timedelta) -> None:
    times = [point.seen_at for point in others]
    for point in its:
        near = others[bisect_left(times, point.seen_at - gap) : bisect_right(times, point.seen_at + gap)]
        for other in near:
            if (point.is_new or other.is_new) and _belong(point, other):
                sets.join(point.key, other.key)


def _join_following(sets: _DisjointSets, its: list[Point], others: Sequence[Point]) -> None:
    times = [point.seen_at for point in others]
    for point in its:
        for other in others[bisect_left(times, point.seen_at - MOMENT) : bisect_right(times, point.seen_at + MOMENT)]:
            if (point.is_new or other.is_new) and _follows(point, other):
                sets.join(point.key, other.key)


def _join_standing(sets: _DisjointSets, stand: Stand, its: list[Point], gap: timedelta, parked_gap: timedelta) -> None:
    for point in its:
        if point.spot is None or point.seen_at < stand.first_seen or not (stand.is_new or point.is_new):
            continue
        later = point.seen_at - stand.last_seen
        # Up to `gap` it is linked to a reading of the stand itself.
        is_near = later <= gap and (stand.is_new or later >= _NOTHING)
        if not is_near and later <= parked_gap and is_still(point.spot, stand.spot):
            sets.join(point.key, stand.key)


def _belong(one: Point, other: Point) -> bool:
    """Whether two similar texts are readings of the same plate, as far as places say."""
    if one.frame_id == other.frame_id:
        return is_same_box(one.xyxy, other.xyxy)
    seconds = abs((one.seen_at - other.seen_at).total_seconds())
    return is_within_reach(one.spot, other.spot, seconds)


def _follows(one: Point, other: Point) -> bool:
    """Whether a plate is where the other one was. Never true where a place is not known."""
    if one.spot is None or other.spot is None or one.frame_id == other.frame_id:
        return False
    return is_still(one.spot, other.spot)


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

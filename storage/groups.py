"""Which new sightings belong together, and with which passages in the database. The rules are in `linking`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from storage.linking import Point, Stand, find_stands, link
from storage.passages import Sighting
from storage.stands import KNOWN_POINT, known_point, load_stands, readings_after, shift
from storage.tables import Passages, Readings


class Rules(NamedTuple):
    """How far apart readings of one passage may be; `parked_gap` where it stood still."""

    gap: timedelta
    parked_gap: timedelta


class Group(NamedTuple):
    """What belongs together: new sightings, and the passages they touch."""

    sightings: list[Sighting]
    passage_ids: list[str]


class _Window(NamedTuple):
    since: datetime
    until: datetime
    source_ids: list[str]


_NEAR: Final = sa.select(*KNOWN_POINT).where(
    Readings.source_id.in_(sa.bindparam("source_ids", expanding=True)),
    Readings.captured_at.between(sa.bindparam("since"), sa.bindparam("until")),
    Readings.passage_id.is_not(None),
)


def find_groups(
    connection: sa.Connection, sightings: Sequence[Sighting], rules: Rules
) -> tuple[list[Group], list[Stand]]:
    """The groups of the sightings, and where vehicles stood still by what is new."""
    points: dict[str, list[Point]] = defaultdict(list)
    by_key = {one.key: one for one in sightings}
    covered: dict[str, datetime] = {}
    for window in _windows(sightings, rules.gap):
        covered = dict.fromkeys(window.source_ids, window.until) | covered
        for source_id, point in _near(connection, window):
            points[source_id].append(point)
    for one in sightings:
        new = Point(one.key, one.text, one.seen_at, one.frame_id, one.spot, one.xyxy)
        points[one.source_id].append(new)
    stands: dict[str, list[Stand]] = {}
    if sightings and rules.parked_gap > rules.gap:
        stands = {source_id: find_stands(points[source_id], rules.gap) for source_id in points}
        for source_id, point in readings_after(connection, stands, covered, rules.parked_gap):
            points[source_id].append(point)
        known = load_stands(connection, sightings, rules.parked_gap)
    else:
        known = {}
    groups: list[Group] = []
    for source_id in sorted(points):
        there = [*stands.get(source_id, ()), *known.get(source_id, ())]
        for keys in link(points[source_id], rules.gap, there, rules.parked_gap):
            new_ones = [by_key[key] for key in sorted(keys) if key in by_key]
            if new_ones:
                groups.append(Group(new_ones, sorted(keys - by_key.keys())))
    return groups, [stand for of_source in stands.values() for stand in of_source]


def with_contests(connection: sa.Connection, groups: list[Group], rows: dict[str, sa.RowMapping]) -> Iterator[Group]:
    """The groups, each with all that compete with its passages; `rows` gets theirs. Those of one contest are one."""
    contests = {row["contest"] for row in rows.values() if row["contest"]}
    if not contests:
        yield from groups
        return
    rows |= load_passages(connection, contests, Passages.contest)
    members: dict[str, set[str]] = defaultdict(set)
    for passage_id, row in rows.items():
        if row["contest"]:
            members[row["contest"]].add(passage_id)
    joined: list[Group] = []
    for group in groups:
        ids = set(group.passage_ids)
        ids |= {other for one in ids for other in members.get(rows[one]["contest"] if one in rows else "", ())}
        sightings = list(group.sightings)
        for earlier in [other for other in joined if ids & set(other.passage_ids)]:
            joined.remove(earlier)
            ids |= set(earlier.passage_ids)
            sightings += earlier.sightings
        joined.append(Group(sightings, sorted(ids)))
    yield from joined


def _windows(sightings: Sequence[Sighting], gap: timedelta) -> list[_Window]:
    """When and where earlier readings matter. Sources seen at about the same time share a window: one query for all."""
    spans: list[_Window] = []
    by_source: dict[str, list[datetime]] = defaultdict(list)
    for sighting in sightings:
        by_source[sighting.source_id].append(sighting.seen_at)
    for source_id, times in by_source.items():
        for since, until in _spans(sorted(times), gap):
            spans.append(_Window(since, until, [source_id]))
    windows: list[_Window] = []
    for span in sorted(spans):
        last = windows[-1] if windows else None
        if last and span.since <= last.until and max(last.until, span.until) - last.since <= 4 * gap:
            windows[-1] = _Window(last.since, max(last.until, span.until), last.source_ids + span.source_ids)
        else:
            windows.append(span)
    return windows


def _spans(times: list[datetime], gap: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """The surroundings of these times, those that overlap joined."""
    start = end = times[0]
    for time in times[1:]:
        if time - end > 2 * gap:
            yield shift(start, -gap), shift(end, gap)
            start = time
        end = time
    yield shift(start, -gap), shift(end, gap)


def _near(connection: sa.Connection, window: _Window) -> Iterator[tuple[str, Point]]:
    given = {"source_ids": sorted(set(window.source_ids)), "since": window.since, "until": window.until}
    return (known_point(row) for row in connection.execute(_NEAR, given))


def load_passages(
    connection: sa.Connection, keys: Collection[str], column: Any = Passages.passage_id
) -> dict[str, sa.RowMapping]:
    if not keys:
        return {}
    rows = connection.execute(sa.select(Passages.__table__).where(column.in_(sorted(keys)))).mappings()
    return {row["passage_id"]: row for row in rows}

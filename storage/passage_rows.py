"""Passages in the database: new sightings join, found or merge passages. The rules are in `passages`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

import sqlalchemy as sa

from storage.passages import Best, Point, Sighting, Tally, Votes, link
from storage.plates import plate_chars
from storage.tables import Passages, Readings, Sources


def lock_sources(connection: sa.Connection, source_ids: Iterable[str]) -> None:
    """From here to the end of the transaction nobody else changes passages of these sources. SQLite has one writer."""
    source_ids = sorted(source_ids)
    if connection.dialect.name == "sqlite" or not source_ids:
        return
    # Sorted, lest two writers wait for each other; NO KEY: frames of these sources may still be inserted.
    rows = sa.select(Sources.source_id).where(Sources.source_id.in_(source_ids)).order_by(Sources.source_id)
    connection.execute(rows.with_for_update(key_share=True)).all()


class Placed(NamedTuple):
    """What became of sightings and their passages. `passage_ids`: key of the sighting -> passage_id.

    `known` are the passages that were touched as they were before, `merged` leads from those that are gone to what
    they are part of now.
    """

    passage_ids: dict[str, str]
    new: dict[str, Tally]
    changed: dict[str, Tally]
    known: dict[str, Tally]
    merged: dict[str, str]


def place_sightings(connection: sa.Connection, sightings: Sequence[Sighting], gap: timedelta, now: datetime) -> Placed:
    """Write the passages of sightings that are new to the database.

    The sources must be locked and their readings complete; the readings themselves are inserted afterwards.
    """
    groups = list(_groups(connection, sightings, gap))
    known = _load(connection, sorted({passage_id for group in groups for passage_id in group.passage_ids}))
    new: dict[str, Tally] = {}
    changed: dict[str, Tally] = {}
    merged: dict[str, str] = {}
    placed: dict[str, str] = {}
    for group in groups:
        tallies = {passage_id: known[passage_id] for passage_id in group.passage_ids if passage_id in known}
        if tallies:
            survivor = min(tallies, key=lambda passage_id: (tallies[passage_id].first_seen, passage_id))
            merged |= {passage_id: survivor for passage_id in tallies if passage_id != survivor}
        else:
            survivor = min(group.sightings, key=lambda one: (one.seen_at, one.frame_id, one.reading_index)).key
        total = _sum([*tallies.values(), *map(Tally.of, group.sightings)])
        (changed if tallies else new)[survivor] = total
        placed |= {sighting.key: survivor for sighting in group.sightings}
    if new:
        connection.execute(sa.insert(Passages), [{"passage_id": key} | _row(new[key], now) for key in sorted(new)])
    if changed:
        connection.execute(_UPDATE, [{"of_passage": key} | _row(changed[key], now) for key in sorted(changed)])
    if merged:
        pairs = [{"gone": gone, "survivor": merged[gone]} for gone in sorted(merged)]
        connection.execute(_MOVE, pairs)
        connection.execute(sa.delete(Passages).where(Passages.passage_id.in_(sorted(merged))))
    return Placed(placed, new, changed, known, merged)


class _Group(NamedTuple):
    """What belongs together: new sightings, and the passages they touch."""

    sightings: list[Sighting]
    passage_ids: list[str]


class _Window(NamedTuple):
    since: datetime
    until: datetime
    source_ids: list[str]


def _groups(connection: sa.Connection, sightings: Sequence[Sighting], gap: timedelta) -> Iterator[_Group]:
    points: dict[str, list[Point]] = defaultdict(list)
    by_key: dict[str, Sighting] = {}
    for window in _windows(sightings, gap):
        for source_id, point in _near(connection, window):
            points[source_id].append(point)
    for sighting in sightings:
        points[sighting.source_id].append(Point(sighting.key, sighting.text, sighting.seen_at))
        by_key[sighting.key] = sighting
    for source_id in sorted(points):
        for keys in link(points[source_id], gap):
            new = [by_key[key] for key in sorted(keys) if key in by_key]
            if new:
                yield _Group(new, sorted(keys - by_key.keys()))


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
            yield _shift(start, -gap), _shift(end, gap)
            start = time
        end = time
    yield _shift(start, -gap), _shift(end, gap)


def _shift(time: datetime, by: timedelta) -> datetime:
    try:
        return time + by
    except OverflowError:  # the ends of the calendar
        return (datetime.max if by > timedelta(0) else datetime.min).replace(tzinfo=UTC)


def _near(connection: sa.Connection, window: _Window) -> Iterator[tuple[str, Point]]:
    rows = sa.select(Readings.source_id, Readings.passage_id, Readings.text, Readings.captured_at).where(
        Readings.source_id.in_(sorted(set(window.source_ids))),
        Readings.captured_at.between(window.since, window.until),
        Readings.passage_id.is_not(None),
    )
    for source_id, passage_id, text, captured_at in connection.execute(rows):
        if passage_id is not None:
            yield source_id, Point(passage_id, plate_chars(text), captured_at)


def _load(connection: sa.Connection, passage_ids: list[str]) -> dict[str, Tally]:
    if not passage_ids:
        return {}
    rows = connection.execute(sa.select(Passages.__table__).where(Passages.passage_id.in_(passage_ids))).mappings()
    return {row["passage_id"]: _tally(row) for row in rows}


def _tally(row: sa.RowMapping) -> Tally:
    box: list[float] | None = row["best_xyxy"]
    return Tally(
        source_id=row["source_id"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        reading_count=row["reading_count"],
        best=Best(
            confidence=row["best_confidence"],
            seen_at=row["best_seen"],
            frame_id=row["best_frame_id"],
            reading_index=row["best_reading_index"],
            xyxy=(box[0], box[1], box[2], box[3]) if box else None,
        ),
        votes=cast(Votes, row["votes"]),
    )


def _row(tally: Tally, now: datetime) -> dict[str, Any]:
    return {
        "source_id": tally.source_id,
        "text": tally.text,
        "confidence": tally.confidence,
        "first_seen": tally.first_seen,
        "last_seen": tally.last_seen,
        "reading_count": tally.reading_count,
        "best_confidence": tally.best.confidence,
        "best_seen": tally.best.seen_at,
        "best_frame_id": tally.best.frame_id,
        "best_reading_index": tally.best.reading_index,
        "best_xyxy": tally.best.xyxy,
        "votes": tally.votes,
        "updated_at": now,
    }


def _sum(tallies: list[Tally]) -> Tally:
    total = tallies[0]
    for tally in tallies[1:]:
        total = total + tally
    return total


_FIXED = ("passage_id", "source_id", "final_at")
_CHANGING = [column.name for column in Passages.__table__.columns if column.name not in _FIXED]
_UPDATE = (
    sa.update(Passages)
    .where(Passages.passage_id == sa.bindparam("of_passage"))
    .values({name: sa.bindparam(name) for name in _CHANGING})
)
_MOVE = (
    sa.update(Readings).where(Readings.passage_id == sa.bindparam("gone")).values(passage_id=sa.bindparam("survivor"))
)

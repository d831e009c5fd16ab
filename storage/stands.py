"""Where vehicles stood, in the database; and known readings as points for `linking`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from storage.database import insert_into
from storage.linking import Point, Stand
from storage.passages import Sighting
from storage.plates import plate_chars
from storage.tables import Readings, Sources, Stands

KNOWN_POINT: Final = (
    Readings.source_id,
    Readings.passage_id,
    Readings.text,
    Readings.captured_at,
    Readings.frame_id,
    Readings.spot,
)


_SOURCE_IDS: Final = sa.bindparam("source_ids", expanding=True)
_STANDS: Final = sa.select(Stands.__table__).where(
    Stands.source_id.in_(_SOURCE_IDS),
    Stands.last_seen >= sa.bindparam("since"),
    Stands.first_seen <= sa.bindparam("until"),
)
_NEWEST: Final = sa.select(
    Sources.source_id,
    sa.select(sa.func.max(Readings.captured_at)).where(Readings.source_id == Sources.source_id).scalar_subquery(),
).where(Sources.source_id.in_(_SOURCE_IDS))


def known_point(row: Sequence[Any]) -> tuple[str, Point]:
    """A row of the columns `KNOWN_POINT`, with its source."""
    source_id, passage_id, text, captured_at, frame_id, spot = row
    return source_id, Point(passage_id, plate_chars(text), captured_at, frame_id, spot, is_new=False)


def shift(time: datetime, by: timedelta) -> datetime:
    try:
        return time + by
    except OverflowError:  # the ends of the calendar
        return (datetime.max if by > timedelta(0) else datetime.min).replace(tzinfo=UTC)


def load_stands(
    connection: sa.Connection, sightings: Sequence[Sighting], parked_gap: timedelta
) -> dict[str, list[Stand]]:
    """By source: where vehicles stood that sightings may be of."""
    times = [one.seen_at for one in sightings]
    given = {
        "source_ids": sorted({one.source_id for one in sightings}),
        "since": shift(min(times), -parked_gap),
        "until": max(times),
    }
    found: dict[str, list[Stand]] = defaultdict(list)
    for row in connection.execute(_STANDS, given):
        found[row.source_id].append(
            Stand(row.passage_id, row.folded, row.spot, row.first_seen, row.last_seen, is_new=False)
        )
    return found


def readings_after(
    connection: sa.Connection,
    stands: Mapping[str, Sequence[Stand]],
    covered: Mapping[str, datetime],
    parked_gap: timedelta,
) -> Iterator[tuple[str, Point]]:
    """Known readings after the time until which all are `covered`, where a stand is news to them.

    Only late bundles meet any: otherwise nothing newer is there.
    """
    standing = sorted(source_id for source_id, found in stands.items() if found)
    if not standing:
        return
    for source_id, newest_at in connection.execute(_NEWEST, {"source_ids": standing}).all():
        if newest_at and newest_at > covered[source_id]:
            until = shift(max(stand.last_seen for stand in stands[source_id]), parked_gap)
            later = sa.select(*KNOWN_POINT).where(
                Readings.source_id == source_id,
                Readings.captured_at > covered[source_id],
                Readings.captured_at <= until,
                Readings.passage_id.is_not(None),
            )
            yield from (known_point(row) for row in connection.execute(later).all())


def write_stands(connection: sa.Connection, stands: Sequence[Stand], source_of: Mapping[str, str]) -> None:
    """Enter stands, whose keys are passages now; one that is there already grows. `source_of`: source by passage."""
    spans: dict[tuple[str, str, int], tuple[datetime, datetime]] = {}
    for stand in stands:
        label = (stand.key, stand.folded, stand.spot)
        first, last = spans.get(label, (stand.first_seen, stand.last_seen))
        spans[label] = (min(first, stand.first_seen), max(last, stand.last_seen))
    rows = [
        {
            "passage_id": label[0],
            "folded": label[1],
            "spot": label[2],
            "source_id": source_of[label[0]],
            "first_seen": first,
            "last_seen": last,
        }
        for label, (first, last) in sorted(spans.items())
    ]
    if not rows:
        return
    connection.execute(_enter_or_grow(connection.dialect.name), rows)


@cache
def _enter_or_grow(dialect: str) -> sa.Insert:
    insert = insert_into(dialect, Stands)
    first, last = insert.excluded["first_seen"], insert.excluded["last_seen"]
    grown = {
        "first_seen": sa.case((first < Stands.first_seen, first), else_=Stands.first_seen),
        "last_seen": sa.case((last > Stands.last_seen, last), else_=Stands.last_seen),
    }
    return insert.on_conflict_do_update(index_elements=[Stands.passage_id, Stands.folded, Stands.spot], set_=grown)


def move_stands(connection: sa.Connection, merged: Mapping[str, str]) -> None:
    """What passages that are gone stood at, their survivors did."""
    rows = connection.execute(sa.select(Stands.__table__).where(Stands.passage_id.in_(sorted(merged)))).all()
    stands = [Stand(merged[row.passage_id], row.folded, row.spot, row.first_seen, row.last_seen) for row in rows]
    write_stands(connection, stands, {merged[row.passage_id]: row.source_id for row in rows})

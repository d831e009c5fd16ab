"""Where vehicles stood, in the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from storage.association import Stand
from storage.database import insert_into
from storage.tables import Stands

_STANDS: Final = sa.select(Stands.__table__).where(
    Stands.source_id.in_(sa.bindparam("source_ids", expanding=True)),
    Stands.last_seen >= sa.bindparam("since"),
    Stands.first_seen <= sa.bindparam("until"),
)


def load_stands(
    connection: sa.Connection, source_ids: Collection[str], since: datetime, until: datetime
) -> dict[str, list[Stand]]:
    """By passage: where vehicles stood that may still be there."""
    found: dict[str, list[Stand]] = defaultdict(list)
    given = {"source_ids": sorted(source_ids), "since": since, "until": until}
    for row in connection.execute(_STANDS, given):
        found[row.passage_id].append(Stand(row.folded, row.spot, row.first_seen, row.last_seen, is_new=False))
    return found


def write_stands(
    connection: sa.Connection, stands: Mapping[str, Collection[Stand]], source_of: Mapping[str, str]
) -> None:
    """Enter stands by passage; one that is there already grows. `source_of`: source by passage."""
    spans: dict[tuple[str, str, int], tuple[datetime, datetime]] = {}
    for passage_id, its in stands.items():
        for stand in its:
            label = (passage_id, stand.folded, stand.spot)
            first, last = spans.get(label, (stand.first_seen, stand.last_seen))
            spans[label] = (min(first, stand.first_seen), max(last, stand.last_seen))
    rows: list[dict[str, Any]] = [
        {
            "passage_id": passage_id,
            "folded": folded,
            "spot": spot,
            "source_id": source_of[passage_id],
            "first_seen": first,
            "last_seen": last,
        }
        for (passage_id, folded, spot), (first, last) in sorted(spans.items())
    ]
    if rows:
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
    stands: dict[str, list[Stand]] = defaultdict(list)
    for row in rows:
        stands[merged[row.passage_id]].append(Stand(row.folded, row.spot, row.first_seen, row.last_seen))
    write_stands(connection, stands, {merged[row.passage_id]: row.source_id for row in rows})

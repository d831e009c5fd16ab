"""Where vehicles stood, in the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from storage.database.engine import insert_into
from storage.passages.association import Stand
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


def write_stands(connection: sa.Connection, stands: Mapping[tuple[str, str], Collection[Stand]]) -> None:
    """Enter stands by source and passage; one that is there already grows."""
    spans: dict[tuple[str, str, str, int], tuple[datetime, datetime]] = {}
    for key, its in stands.items():
        for stand in its:
            label = (*key, stand.folded, stand.spot)
            first, last = spans.get(label, (stand.first_seen, stand.last_seen))
            spans[label] = (min(first, stand.first_seen), max(last, stand.last_seen))
    rows: list[dict[str, Any]] = [
        {
            "passage_id": passage_id,
            "folded": folded,
            "spot": spot,
            "source_id": source_id,
            "first_seen": first,
            "last_seen": last,
        }
        for (source_id, passage_id, folded, spot), (first, last) in sorted(spans.items())
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
    stands: dict[tuple[str, str], list[Stand]] = defaultdict(list)
    for row in rows:
        key = (row.source_id, merged[row.passage_id])
        stands[key].append(Stand(row.folded, row.spot, row.first_seen, row.last_seen))
    write_stands(connection, stands)


def forget_stands(connection: sa.Connection, passage_ids: Collection[str]) -> None:
    """Where these stood was found anew."""
    if passage_ids:
        connection.execute(sa.delete(Stands).where(Stands.passage_id.in_(sorted(passage_ids))))

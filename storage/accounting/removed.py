"""Counts of rows that went by age, so that the audit balances without them.

By the hour in which their jobs were published, as long as the ledger counts by hours; what is older is one sum.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from sightline.delivery.ledger_lua import HOUR_S, HOURS_KEPT_S
from storage.database.engine import insert_into
from storage.tables import RemovedRows

_LONG_AGO: Final = 0


def hour_of(time: datetime) -> int:
    """Whole hours since 1970."""
    return int(time.timestamp() // HOUR_S)


def note_removed(
    connection: sa.Connection,
    now: datetime,
    *,
    stored: Iterable[tuple[str, datetime]] = (),
    dead: Iterable[tuple[str, int]] = (),
) -> None:
    """Count what this transaction removes. `stored`: source and time of publishing of each frame; `dead`: source of
    each letter and how often it died."""
    oldest = _oldest_hour(now)
    counts: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for source_id, published_at in stored:
        hour = hour_of(published_at)
        counts[source_id, hour if hour > oldest else _LONG_AGO][0] += 1
    for source_id, times in dead:
        counts[source_id, _LONG_AGO][1] += times
    _add(connection, [(*key, gone, died) for key, (gone, died) in counts.items()])


def fold_hours(connection: sa.Connection, now: datetime) -> None:
    """Hours that nobody asks for any more become one sum."""
    past = sa.and_(RemovedRows.hour > _LONG_AGO, RemovedRows.hour <= _oldest_hour(now))
    sums = sa.select(RemovedRows.source_id, sa.func.sum(RemovedRows.stored), sa.func.sum(RemovedRows.dead))
    found = connection.execute(sums.where(past).group_by(RemovedRows.source_id)).all()
    _add(connection, [(source_id, _LONG_AGO, int(stored), int(dead)) for source_id, stored, dead in found])
    if found:
        connection.execute(sa.delete(RemovedRows).where(past))


def _add(connection: sa.Connection, counts: list[tuple[str, int, int, int]]) -> None:
    if not counts:
        return
    rows: list[dict[str, Any]] = [
        {"source_id": source_id, "hour": hour, "stored": stored, "dead": dead}
        for source_id, hour, stored, dead in sorted(counts)
    ]
    insert = insert_into(connection, RemovedRows)
    sums = {name: getattr(RemovedRows, name) + insert.excluded[name] for name in ("stored", "dead")}
    connection.execute(
        insert.on_conflict_do_update(index_elements=[RemovedRows.source_id, RemovedRows.hour], set_=sums), rows
    )


def _oldest_hour(now: datetime) -> int:
    return hour_of(now) - HOURS_KEPT_S // HOUR_S

"""The books of a range of whole hours: the ledger's counts by hour against open jobs and rows of the same time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel

from producers.api.services import ApiServices
from sightline.delivery.ledger_lua import HOUR_S, HOURS_KEPT_S
from sightline.errors import BadMessageError
from storage.accounting import reconciliation
from storage.accounting.agreement import last_restore
from storage.accounting.reconciliation import MissingFrame

_FIRST: Final = timedelta(seconds=HOURS_KEPT_S - HOUR_S)


class SourceAudit(BaseModel):
    """One source. `rows` and `dead_rows` are in the database, `removed` and `removed_dead` were and went by age;
    everything else is what the ledger counted."""

    source_id: str
    published: int
    stored: int
    repeated: int
    dropped: dict[str, int]
    dead: int
    open: int
    rows: int
    dead_rows: int
    removed: int = 0
    removed_dead: int = 0  #: of all time only, as `dead_rows`
    lost: int = 0  #: at most so many were in Redis alone when it lost its memory; of all time only
    missing_rows: int = 0  #: at most so many rows were not in the backup that was restored; of all time only
    balanced: bool


class Audit(BaseModel):
    """`balanced`: nothing is missing. `notes` says in words what is wrong, or what can not be known any more."""

    balanced: bool
    sources: list[SourceAudit]
    since: datetime | None = None  #: whole hours; None: from the beginning
    until: datetime | None = None
    notes: list[str] = []
    missing: list[MissingFrame] = []  #: the frames that should have a row, as far as they are known


def audit_hours(services: ApiServices, since: datetime | None, until: datetime | None) -> Audit:
    """Raises BadMessageError: the range is empty, or older than what is kept."""
    hours = _hours(since, until)
    start, end = (datetime.fromtimestamp(hour * HOUR_S, UTC) for hour in (hours.start, hours.stop))
    ledger = services.publisher.ledger
    # The database after it: rows are written before the ledger counts them.
    counts = ledger.hourly_balance(hours)
    rows = reconciliation.rows_between(services.database, start, end)
    unknown = _with_unknown_rows(counts, rows)
    if unknown:  # or of frames that came since: what has a row by now is stored or open in the ledger from now on
        unknown = _with_unknown_rows(ledger.hourly_balance(hours), rows)
    restored_at = last_restore(services.database)
    if unknown and restored_at is not None:
        unknown &= _unknown_since(restored_at, services, hours)
    sources = [
        _source(
            source_id, counts.get(source_id, {}), rows.get(source_id, Counter()), knows_rows=source_id not in unknown
        )
        for source_id in sorted(counts.keys() | rows.keys())
    ]
    notes = [note for source in sources for note in _notes(source)]
    if unknown:
        counted_since = ledger.hourly_since()
        since_text = f"since {_text(counted_since)}" if counted_since is not None else "nothing at all"
        notes.append(
            f"Redis lost its memory: it counts {since_text}, and the database has rows of this time that it does not "
            "know. What was stored is stored; whether more was published cannot be known: let producers send again."
        )
    # Every job of the time is read for it: where rows of stored frames are enough, the dead alone are looked for.
    missing = reconciliation.missing_between(services.database, start, end, dead_only=not notes)
    balanced = not notes and not missing
    if restored_at is not None and restored_at >= start:
        notes.append(f"of the time before {_text(restored_at.timestamp())} there is what the restored backup had")
    return Audit(balanced=balanced, sources=sources, since=start, until=end, notes=notes, missing=missing)


def _hours(since: datetime | None, until: datetime | None) -> range:
    """Whole hours that hold the range."""
    now = datetime.now(UTC)
    first, last = since or now - _FIRST, until or now
    if first >= last:
        raise BadMessageError(f"until: {last.isoformat()} is not after since: {first.isoformat()}", field="until")
    if first < now - _FIRST - timedelta(minutes=1):
        raise BadMessageError(
            f"since: {first.isoformat()} is too long ago, counts of an hour are kept for {HOURS_KEPT_S // 86400} days; "
            "leave since and until out for the counts of all time",
            field="since",
        )
    return range(math.floor(first.timestamp() / HOUR_S), math.ceil(min(last, now).timestamp() / HOUR_S))


def _unknown_since(restored_at: datetime, services: ApiServices, hours: range) -> set[str]:
    """The same of the time after a backup was restored: with that a new ledger began."""
    first = max(hours.start, math.floor(restored_at.timestamp() / HOUR_S) + 1)
    if first >= hours.stop:
        return set()
    start, end = (datetime.fromtimestamp(hour * HOUR_S, UTC) for hour in (first, hours.stop))
    rows = reconciliation.rows_between(services.database, start, end)
    return _with_unknown_rows(services.publisher.ledger.hourly_balance(range(first, hours.stop)), rows)


def _with_unknown_rows(counts: Mapping[str, Mapping[str, int]], rows: Mapping[str, Counter[str]]) -> set[str]:
    """Sources with more rows than the ledger knows frames that may have one."""
    found = {source_id: Counter(counts.get(source_id, {})) for source_id in rows}
    return {
        source_id
        for source_id, known in found.items()
        if rows[source_id]["stored"] + rows[source_id]["removed"] > known["stored"] + known["open"]
    }


def _source(source_id: str, counts: Mapping[str, int], rows: Counter[str], *, knows_rows: bool) -> SourceAudit:
    known = Counter(counts)
    dropped = {name.partition(":")[2]: n for name, n in counts.items() if name.startswith("dropped:")}
    ended = known["stored"] + known["repeated"] + known["dead"] + sum(dropped.values())
    return SourceAudit(
        source_id=source_id,
        published=known["published"],
        stored=known["stored"],
        repeated=known["repeated"],
        dropped=dropped,
        dead=known["dead"],
        open=known["open"],
        rows=rows["stored"],
        dead_rows=0,
        removed=rows["removed"],
        balanced=known["published"] == ended + known["open"]
        and known["stored"] <= rows["stored"] + rows["removed"]
        and knows_rows,
    )


def _notes(source: SourceAudit) -> list[str]:
    ended = source.stored + source.repeated + source.dead + sum(source.dropped.values())
    notes: list[str] = []
    if lost := source.published - ended - source.open:
        what = "more frames published than ended or open" if lost > 0 else "more frames ended or open than published"
        notes.append(f"{source.source_id}: {abs(lost)} {what}")
    if (lacking := source.stored - source.rows - source.removed) > 0:
        notes.append(f"{source.source_id}: {lacking} frames counted as stored have no row")
    return notes


def _text(epoch_s: float) -> str:
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%d %H:%M} UTC"

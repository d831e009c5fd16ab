"""What waits, and whether the books balance: the ledger in Redis against the rows in the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from producers.api.access.auth import require
from producers.api.accounting.hours import Audit, SourceAudit, audit_hours
from producers.api.middleware.problems import ALWAYS
from producers.api.params import Since, Until
from producers.api.services import Given
from storage.access.keys import Role
from storage.accounting.agreement import is_accepted, list_breaks
from storage.accounting.ledger_snapshots import lost_frames, missing_rows
from storage.results import queries

_MISSING: Final = (
    "at most {frames} frames that were stored have no row, as the database came back as it was earlier. Submit again "
    "what you have; `python -m storage accept-missing` says that the rest may stay missing"
)

router = APIRouter(prefix="/v1", tags=["operations"], responses=ALWAYS, dependencies=[Depends(require(Role.VIEWER))])


class Queues(BaseModel):
    """Messages that wait, per queue, and frames that are open, per source."""

    depths: dict[str, int] = Field(examples=[{"gpu.detect": 3, "cpu.ocr": 0, "db.write": 0}])
    open_frames: dict[str, int] = Field(examples=[{"gate": 24}])


@router.get("/queues", summary="What waits")
def get_queues(services: Given) -> Queues:
    """Messages that wait per queue, and frames that are open per source."""
    return Queues(depths=services.publisher.queue_depths(), open_frames=services.publisher.ledger.open_frames())


@router.get("/audit", summary="Where every frame went")
def get_audit(services: Given, since: Since = None, until: Until = None) -> Audit:
    """Per source: published = stored + repeated + dead + dropped + open, and what is stored or dead has its row, or
    had it until it went by age.

    Of all time there may be more rows than the ledger counts, where Redis was emptied and the database was not; never
    fewer: what a restored backup does not have is missing until it is accepted. `notes` says when one of the two came
    back older. With
    `since` or `until` it is about the frames published in that time, in whole hours, of the last 31 days; there too
    many rows are told as well: Redis lost its memory, and what it had accepted can not be proven.
    """
    if since is not None or until is not None:
        return audit_hours(services, since, until)
    # The database last: rows are written before the ledger counts them.
    counts = services.publisher.ledger.balance()
    rows = queries.counts_by_source(services.database)
    lost, missing = lost_frames(services.database), missing_rows(services.database)
    breaks = list_breaks(services.database)
    accepted = is_accepted(breaks)
    sources = [
        _audit_source(
            source_id,
            counts.get(source_id, {}),
            rows.get(source_id, {}),
            lost.get(source_id, 0),
            missing.get(source_id, (0, 0)),
            missing_is_accepted=accepted,
        )
        for source_id in sorted(counts.keys() | rows.keys() | lost.keys())
    ]
    notes = [each.words for each in breaks]
    if missing and not accepted:
        notes.insert(0, _MISSING.format(frames=sum(frames for frames, _ in missing.values())))
    return Audit(balanced=all(source.balanced for source in sources), sources=sources, notes=notes)


def _audit_source(
    source_id: str,
    counts: Mapping[str, int],
    rows: Mapping[str, int],
    lost: int,
    missing: tuple[int, int],
    *,
    missing_is_accepted: bool,
) -> SourceAudit:
    dropped = {name.partition(":")[2]: n for name, n in counts.items() if name.startswith("dropped:")}
    published, stored, repeated, dead, open_frames = (
        counts.get(name, 0) for name in ("published", "stored", "repeated", "dead", "open")
    )
    ended = stored + repeated + dead + sum(dropped.values())
    removed, removed_dead = rows.get("removed", 0), rows.get("removed_dead", 0)
    in_database = (
        rows.get("stored", 0) + removed + missing[0] >= stored
        and rows.get("dead", 0) + removed_dead + missing[1] >= dead
    )
    return SourceAudit(
        source_id=source_id,
        published=published,
        stored=stored,
        repeated=repeated,
        dropped=dropped,
        dead=dead,
        open=open_frames,
        rows=rows.get("stored", 0),
        dead_rows=rows.get("dead", 0),
        removed=removed,
        removed_dead=removed_dead,
        lost=lost,
        missing_rows=missing[0],
        balanced=published == ended + open_frames and in_database and (missing_is_accepted or not any(missing)),
    )

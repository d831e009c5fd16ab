"""What waits, and whether the books balance: the ledger in Redis against the rows in the database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from producers.api.access.auth import require
from producers.api.accounting.hours import Audit, SourceAudit, audit_hours
from producers.api.middleware.problems import ALWAYS
from producers.api.params import Since, Until
from producers.api.services import ApiServices, Given
from storage.access.keys import Role
from storage.accounting.ledger_snapshots import lost_frames
from storage.results import queries

router = APIRouter(prefix="/v1", tags=["operations"], responses=ALWAYS, dependencies=[Depends(require(Role.VIEWER))])

#: Counts and open frames are read one after the other: while work flows they may miss each other by a few frames.
_LOOKS: Final = 5
_PAUSE_S: Final = 0.05


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
    fewer. With `since` or `until` it is about the frames published in that time, in whole hours, of the last 31 days;
    there too many rows are told as well: Redis lost its memory, and what it had accepted can not be proven.
    """
    for _ in range(_LOOKS - 1):
        audit = _audit(services, since, until)
        if audit.balanced:
            return audit
        time.sleep(_PAUSE_S)
    return _audit(services, since, until)


def _audit(services: ApiServices, since: datetime | None, until: datetime | None) -> Audit:
    if since is not None or until is not None:
        return audit_hours(services, since, until)
    # The database last: rows are written before the ledger counts them.
    open_frames = services.publisher.ledger.open_frames()
    counts = services.publisher.ledger.counts()
    rows = queries.counts_by_source(services.database)
    lost = lost_frames(services.database)
    sources = [
        _audit_source(
            source_id,
            counts.get(source_id, {}),
            open_frames.get(source_id, 0),
            rows.get(source_id, {}),
            lost.get(source_id, 0),
        )
        for source_id in sorted(counts.keys() | open_frames.keys() | rows.keys() | lost.keys())
    ]
    return Audit(balanced=all(source.balanced for source in sources), sources=sources)


def _audit_source(
    source_id: str, counts: Mapping[str, int], open_frames: int, rows: Mapping[str, int], lost: int
) -> SourceAudit:
    dropped = {name.partition(":")[2]: n for name, n in counts.items() if name.startswith("dropped:")}
    published, stored, repeated, dead = (counts.get(name, 0) for name in ("published", "stored", "repeated", "dead"))
    ended = stored + repeated + dead + sum(dropped.values())
    removed, removed_dead = rows.get("removed", 0), rows.get("removed_dead", 0)
    in_database = rows.get("stored", 0) + removed >= stored and rows.get("dead", 0) + removed_dead >= dead
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
        balanced=published == ended + open_frames and in_database,
    )

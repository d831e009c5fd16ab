"""What was found: passages, detections, readings, dead letters; what waits; and whether the books balance."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from producers.api.auth import require
from producers.api.problems import RESPONSES
from producers.api.queries import Cursor, Limit, Since, Source, Until
from producers.api.services import Given
from storage import queries
from storage.keys import Role
from storage.views import DeadLetterView, DetectionView, Page, PassageView, ReadingView

router = APIRouter(prefix="/v1", tags=["results"], responses=RESPONSES, dependencies=[Depends(require(Role.VIEWER))])

Text = Annotated[str | None, Query(max_length=64, description="Exact, or with `*` and `?` as wildcards.")]


@router.get("/passages")
def list_passages(
    services: Given,
    text: Text = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[PassageView]:
    """Vehicles that passed a camera, one plate each, newest first."""
    return queries.list_passages(
        services.database, text=text, source=source, since=since, until=until, limit=limit, cursor=cursor
    )


@router.get("/detections")
def list_detections(
    services: Given,
    label: Annotated[str | None, Query(max_length=64, description="Only this label.")] = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DetectionView]:
    """Objects found, with boxes `xyxy` in pixels of the frame, newest first."""
    return queries.list_detections(
        services.database, label=label, source=source, since=since, until=until, limit=limit, cursor=cursor
    )


@router.get("/readings")
def list_readings(
    services: Given,
    text: Text = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ReadingView]:
    """Texts read, with confidence per character, newest first."""
    return queries.list_readings(
        services.database, text=text, source=source, since=since, until=until, limit=limit, cursor=cursor
    )


@router.get("/dead-letters")
def list_dead_letters(
    services: Given,
    reason: Annotated[str | None, Query(max_length=64, description="Only this reason.")] = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DeadLetterView]:
    """Frames that gave up, each with its reason, newest first."""
    return queries.list_dead_letters(
        services.database, reason=reason, source=source, since=since, until=until, limit=limit, cursor=cursor
    )


@router.get("/queues")
def get_queues(services: Given) -> dict[str, Any]:
    """Messages that wait per queue, and frames that are open per source."""
    return {"depths": services.publisher.queue_depths(), "open_frames": services.publisher.ledger.open_frames()}


@router.get("/audit")
def get_audit(services: Given) -> dict[str, Any]:
    """Per source: published = stored + repeated + dead + dropped + open, and every stored frame has its row."""
    ledger = services.publisher.ledger
    counts, open_frames = ledger.counts(), ledger.open_frames()
    rows = queries.counts_by_source(services.database)
    sources = [
        _audit_source(source_id, counts.get(source_id, {}), open_frames.get(source_id, 0), rows.get(source_id, {}))
        for source_id in sorted(counts.keys() | open_frames.keys())
    ]
    return {"balanced": all(source["balanced"] for source in sources), "sources": sources}


def _audit_source(source_id: str, counts: dict[str, int], open_frames: int, rows: Any) -> dict[str, Any]:
    dropped = {name.partition(":")[2]: n for name, n in counts.items() if name.startswith("dropped:")}
    stored, repeated, dead = (counts.get(name, 0) for name in ("stored", "repeated", "dead"))
    ended = stored + repeated + dead + sum(dropped.values())
    published = counts.get("published", 0)
    # Rows are written before a job is settled: while frames are open there may be more rows than settled frames.
    extra_rows = rows.get("stored", 0) - stored
    balanced = published == ended + open_frames and 0 <= extra_rows <= open_frames
    return {
        "source_id": source_id,
        "published": published,
        "stored": stored,
        "repeated": repeated,
        "dropped": dropped,
        "dead": dead,
        "open": open_frames,
        "rows": rows.get("stored", 0),
        "balanced": balanced,
    }

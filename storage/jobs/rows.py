"""How a message becomes rows: pure functions, one dictionary per row, keyed by column."""

from __future__ import annotations

from datetime import UTC, datetime

from sightline.ids import content_id
from sightline.types import FrameResult, ItemResult
from sightline.wire.messages import Job
from storage.database.bulk import Row
from storage.items.columns import clean

_EPOCH = datetime.fromtimestamp(0, UTC)


def published_at(job: Job) -> datetime:
    """Which publish of the job this is. Never fails: a nonsensical time becomes 1970."""
    try:
        return datetime.fromtimestamp(job.published_at, UTC)
    except (ValueError, OverflowError, OSError):
        return _EPOCH


def letter_id(job_id: str, frame_id: str) -> str:
    """Names a dead letter on the command line: 16 hex digits."""
    return content_id(job_id, frame_id)[:16]


def item_row(job: Job, result: ItemResult, *, picture_kept: bool, now: datetime) -> Row:
    frame = result.frame
    width, height, outside = 0, 0, None
    if isinstance(result, FrameResult):
        width, height, outside = result.width, result.height, result.outside or None
    return {
        "frame_id": frame.frame_id,
        "source_id": frame.source_id,
        "job_id": job.job_id,
        "captured_at": frame.captured_at,
        "time_from": frame.time_from,
        "seq": frame.seq,
        "sequence": frame.sequence,
        "name": clean(frame.name),
        "width": width,
        "height": height,
        "outside": outside,
        "parts": [part.model_dump(exclude_none=True) for part in frame.parts] or None,
        "stages": [run.model_dump() for run in result.stages],
        "picture_kept": picture_kept,
        "published_at": published_at(job),
        "stored_at": now,
    }


def dead_letter_row(job: Job, result: ItemResult, *, job_id: str, picture_kept: bool, now: datetime) -> Row:
    """`job_id`: the job in which the frame died first, where this one is a replay of it."""
    assert result.error is not None
    return {
        "frame_id": result.frame.frame_id,
        "job_id": job_id,
        "source_id": result.frame.source_id,
        "captured_at": result.frame.captured_at,
        "pipeline": job.pipeline,
        "lane": job.lane.value,
        "stage": clean(result.error.stage),
        "reason": clean(result.error.reason),
        "message": clean(result.error.message),
        "attempt": job.attempt,
        "times": 1,
        "died_at": now,
        "result": result.model_dump(mode="json"),
        "letter_id": letter_id(job_id, result.frame.frame_id),
        "picture_kept": picture_kept,
    }

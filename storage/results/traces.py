"""Where the time of a stored frame went, from what its stages left in its row."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from sightline.types import Value
from storage.database.engine import Database
from storage.tables import Frames, Jobs


class Span(Value):
    """One part of the way. `rest` is what no stage measured: decoding, waiting for the batch, handing over, writing."""

    what: Literal["source", "wait", "model", "rest"]
    stage: str = ""
    step: str  #: both in words
    ms: float
    worker: str = ""
    model: str = ""
    batch_size: int | None = None


class Trace(Value):
    """`total_ms` from publishing the frame to its row; the spans after `source` add up to it."""

    frame_id: str
    job_id: str
    captured_at: datetime
    published_at: datetime
    stored_at: datetime
    total_ms: float
    trace_id: str | None = None  #: of the trace that its producer began, where it was one
    spans: tuple[Span, ...]


def trace_frame(database: Database, frame_id: str) -> Trace | None:
    """None if it is not stored."""
    names = ("frame_id", "job_id", "captured_at", "published_at", "stored_at", "time_from", "stages")
    columns = [*(Frames.__table__.c[name] for name in names), Jobs.trace_id]
    of_it = sa.select(*columns).join(Jobs, Jobs.job_id == Frames.job_id, isouter=True)
    with database.read() as connection:
        row = connection.execute(of_it.where(Frames.frame_id == frame_id)).first()
    if row is None:
        return None
    total_ms = _ms(row.published_at, row.stored_at)
    # The time of a photo is when it was taken, whenever somebody submitted it.
    before = (
        [Span(what="source", step="from the camera to the queue", ms=_ms(row.captured_at, row.published_at))]
        if row.time_from == "camera"
        else []
    )
    stages = [span for stage in row.stages for span in _spans(stage)]
    # Clocks of machines differ, and a frame of several crops has shares of several batches: never below nothing.
    rest = Span(
        what="rest",
        step="all else: decoding, batches, handing over, writing",
        ms=max(0.0, round(total_ms - sum(span.ms for span in stages), 1)),
    )
    return Trace(
        frame_id=row.frame_id,
        job_id=row.job_id,
        captured_at=row.captured_at,
        published_at=row.published_at,
        stored_at=row.stored_at,
        total_ms=total_ms,
        trace_id=row.trace_id,
        spans=(*before, *stages, rest),
    )


def _spans(stage: dict[str, Any]) -> tuple[Span, Span]:
    name, worker = stage["stage"], stage["worker"]
    wait = Span(what="wait", stage=name, step=f"waits for {name}", ms=round(stage["queue_wait_ms"], 1), worker=worker)
    model = Span(
        what="model",
        stage=name,
        step=f"{name}: its share of the model",
        ms=round(stage["inference_ms"], 1),
        worker=worker,
        model=stage["model"],
        batch_size=stage["batch_size"],
    )
    return wait, model


def _ms(begin: datetime, end: datetime) -> float:
    return max(0.0, round((end - begin).total_seconds() * 1000, 1))

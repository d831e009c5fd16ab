"""Where the time of a stored frame went, from what its stages left in its row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from sightline.pipelines import registry
from sightline.pipelines.spec import PipelineSpec
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
    beside: bool = False  #: while something that took longer went on; no part of the sum


class Trace(Value):
    """`total_ms` from publishing the frame to its row; the spans after `source` that are not `beside` add up to it."""

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
    columns = [*(Frames.__table__.c[name] for name in names), Jobs.trace_id, Jobs.pipeline]
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
    stages = _spans(row.stages, row.pipeline, total_ms)
    # Clocks of machines differ, and a frame of several crops has shares of several batches: never below nothing.
    rest = Span(
        what="rest",
        step="all else: decoding, batches, handing over, writing",
        ms=max(0.0, round(total_ms - sum(span.ms for span in stages if not span.beside), 1)),
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


def _spans(runs: Sequence[Mapping[str, Any]], pipeline: str | None, total_ms: float) -> list[Span]:
    """Of all stages. Where some went side by side, those of the way that took longest are what one waited for."""
    spec = registry().find(pipeline)
    longest: dict[str, float] = {}
    for run in runs:
        longest[run["stage"]] = max(longest.get(run["stage"], 0.0), _took_ms(run))
    on_way = _longest_way(spec, longest) if spec else set(longest)
    cut = {stage.name for stage in spec.stages if stage.shards} if spec else set[str]()
    spans: list[Span] = []
    left_ms = total_ms - sum(took_ms for name, took_ms in longest.items() if name in on_way - cut)
    for run in runs:
        name = run["stage"]
        is_beside = name not in on_way or _took_ms(run) < longest[name]
        longest[name] = float("inf")  # of several that are equal one counts
        spans += _spans_of(run, is_beside=is_beside, most_ms=left_ms if name in cut else None)
    return spans


def _longest_way(spec: PipelineSpec, took_ms: Mapping[str, float]) -> set[str]:
    """The stages that, one after the other, took longest."""
    ways: dict[str, tuple[float, set[str]]] = {}
    for stage in spec.stages:
        before = max((ways[name] for name in spec.before(stage)), key=lambda way: way[0], default=(0.0, set[str]()))
        ways[stage.name] = before[0] + took_ms.get(stage.name, 0.0), before[1] | {stage.name}
    return max(ways.values(), key=lambda way: way[0])[1]


def _took_ms(run: Mapping[str, Any]) -> float:
    return run["queue_wait_ms"] + run["inference_ms"]


def _spans_of(run: Mapping[str, Any], *, is_beside: bool, most_ms: float | None) -> tuple[Span, Span]:
    """`most_ms`: of a stage that was cut into shards, the time that there was. What several workers did of it side by
    side may be more in all.
    """
    name, worker, model_ms, step = run["stage"], run["worker"], run["inference_ms"], "its share of the model"
    if most_ms is not None and _took_ms(run) > most_ms and not is_beside:
        step = f"shards side by side, {model_ms:.0f} ms of the model in all"
        model_ms = max(0.0, most_ms - run["queue_wait_ms"])
    wait = Span(
        what="wait",
        stage=name,
        step=f"waits for {name}",
        ms=round(run["queue_wait_ms"], 1),
        worker=worker,
        beside=is_beside,
    )
    model = Span(
        what="model",
        stage=name,
        step=f"{name}: {step}",
        ms=round(model_ms, 1),
        worker=worker,
        model=run["model"],
        batch_size=run["batch_size"],
        beside=is_beside,
    )
    return wait, model


def _ms(begin: datetime, end: datetime) -> float:
    return max(0.0, round((end - begin).total_seconds() * 1000, 1))

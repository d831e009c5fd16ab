"""Results of items and jobs as they were on the wire, read back from their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from sightline.pipelines import registry
from sightline.types import Item, ItemResult, JobResult, JobStatus, OtherResult, Pipeline, StageRun
from storage.items.writers import load_found
from storage.tables import DeadLetters, Frames, Jobs


def load_job(connection: sa.Connection, job_id: str) -> JobResult | None:
    """The finished job with one result per frame, in the order of submission; None if there is no such job."""
    job = connection.execute(sa.select(Jobs.__table__).where(Jobs.job_id == job_id)).mappings().first()
    if job is None:
        return None
    outcomes: list[tuple[str, str]] = job["outcomes"]
    results = load_frames(connection, [frame_id for frame_id, outcome in outcomes if outcome in ("stored", "repeated")])
    if any(outcome == "dead" for _, outcome in outcomes):
        results |= _load_dead(connection, job_id, [frame_id for frame_id, outcome in outcomes if outcome == "dead"])
    for dropped in job["dropped"]:
        result = _as_result(job["pipeline"], dropped)
        results.setdefault(result.frame.frame_id, result)
    return JobResult(
        job_id=job_id,
        pipeline=Pipeline(job["pipeline"]),
        status=JobStatus(job["status"]),
        frames=tuple(results[frame_id] for frame_id, _ in outcomes if frame_id in results),
        finished_at=job["finished_at"],
    )


def _load_dead(connection: sa.Connection, job_id: str, frame_ids: Sequence[str]) -> dict[str, ItemResult]:
    """The letters of these frames: the job's own, or the one it replayed."""
    names = ("frame_id", "job_id", "replay_job_id", "pipeline", "result")
    columns = [DeadLetters.__table__.c[name] for name in names]
    letters = connection.execute(sa.select(*columns).where(DeadLetters.frame_id.in_(frame_ids))).all()
    # Own letters come last and win. A replay whose letter has been replayed again is told what is known now.
    ordered = sorted(letters, key=lambda row: (row.job_id == job_id, row.replay_job_id == job_id))
    return {row.frame_id: _as_result(row.pipeline, row.result) for row in ordered}


def load_frame(connection: sa.Connection, frame_id: str) -> ItemResult | None:
    """The stored frame; else its latest dead letter; else None."""
    stored = load_frames(connection, [frame_id])
    if stored:
        return stored[frame_id]
    letters = sa.select(DeadLetters.pipeline, DeadLetters.result).where(DeadLetters.frame_id == frame_id)
    letter = connection.execute(letters.order_by(DeadLetters.died_at.desc()).limit(1)).first()
    return _as_result(letter.pipeline, letter.result) if letter is not None and "frame" in letter.result else None


def load_frames(connection: sa.Connection, frame_ids: Sequence[str]) -> dict[str, ItemResult]:
    """The stored ones of these items, each as its pipeline has it."""
    if not frame_ids:
        return {}
    rows = sa.select(Frames.__table__, Jobs.pipeline).join(Jobs, Jobs.job_id == Frames.job_id)
    by_pipeline: dict[str, list[sa.RowMapping]] = {}
    for row in connection.execute(rows.where(Frames.frame_id.in_(frame_ids))).mappings():
        by_pipeline.setdefault(row["pipeline"], []).append(row)
    return {
        frame_id: result
        for pipeline, items in by_pipeline.items()
        for frame_id, result in _load(connection, pipeline, items).items()
    }


def _load(connection: sa.Connection, pipeline: str, items: Sequence[sa.RowMapping]) -> dict[str, ItemResult]:
    spec = registry().find(pipeline)
    result = spec.result if spec else OtherResult
    found = load_found(connection, pipeline, items, result)
    return {
        item["frame_id"]: result(
            frame=item_of(item),
            stages=tuple(StageRun.model_validate(run) for run in item["stages"]),
            **found[item["frame_id"]],
        )
        for item in items
    }


def item_of(row: sa.RowMapping) -> Item:
    """The item of a row of `frames`."""
    names = ("frame_id", "source_id", "captured_at", "seq", "name", "sequence", "time_from")
    return Item(**{name: row[name] for name in names}, parts=row["parts"] or ())


def _as_result(pipeline: str, stored: dict[str, Any]) -> ItemResult:
    """A result that was stored as JSON."""
    spec = registry().find(pipeline)
    return (spec.result if spec else OtherResult).model_validate(stored)

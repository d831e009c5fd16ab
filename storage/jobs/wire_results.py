"""Frame and job results as they were on the wire, read back from their rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from sightline.types import Detection, FrameRef, FrameResult, JobResult, JobStatus, Pipeline, Reading, StageRun
from storage.tables import DeadLetters, Detections, Frames, Jobs, Readings


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
        result = FrameResult.model_validate(dropped)
        results.setdefault(result.frame.frame_id, result)
    return JobResult(
        job_id=job_id,
        pipeline=Pipeline(job["pipeline"]),
        status=JobStatus(job["status"]),
        frames=tuple(results[frame_id] for frame_id, _ in outcomes if frame_id in results),
        finished_at=job["finished_at"],
    )


def _load_dead(connection: sa.Connection, job_id: str, frame_ids: Sequence[str]) -> dict[str, FrameResult]:
    """The letters of these frames: the job's own, or the one it replayed."""
    columns = (DeadLetters.frame_id, DeadLetters.job_id, DeadLetters.replay_job_id, DeadLetters.result)
    letters = connection.execute(sa.select(*columns).where(DeadLetters.frame_id.in_(frame_ids))).all()
    # Own letters come last and win. A replay whose letter has been replayed again is told what is known now.
    ordered = sorted(letters, key=lambda row: (row.job_id == job_id, row.replay_job_id == job_id))
    return {row.frame_id: FrameResult.model_validate(row.result) for row in ordered}


def load_frame(connection: sa.Connection, frame_id: str) -> FrameResult | None:
    """The stored frame; else its latest dead letter; else None."""
    stored = load_frames(connection, [frame_id])
    if stored:
        return stored[frame_id]
    letters = sa.select(DeadLetters.result).where(DeadLetters.frame_id == frame_id).order_by(DeadLetters.died_at.desc())
    letter = connection.scalars(letters.limit(1)).first()
    return FrameResult.model_validate(letter) if letter is not None and "frame" in letter else None


def load_frames(connection: sa.Connection, frame_ids: Sequence[str]) -> dict[str, FrameResult]:
    """The stored ones of these frames."""
    if not frame_ids:
        return {}
    rows = connection.execute(sa.select(Frames.__table__).where(Frames.frame_id.in_(frame_ids))).mappings().all()
    detections = _by_frame(connection, Detections.__table__, Detections.detection_index, frame_ids)
    readings = _by_frame(connection, Readings.__table__, Readings.reading_index, frame_ids)
    return {
        row["frame_id"]: FrameResult(
            frame=FrameRef(
                frame_id=row["frame_id"],
                source_id=row["source_id"],
                captured_at=row["captured_at"],
                seq=row["seq"],
                name=row["name"],
                sequence=row["sequence"],
                time_from=row["time_from"],
            ),
            width=row["width"],
            height=row["height"],
            detections=tuple(_detection(each) for each in detections[row["frame_id"]]),
            readings=tuple(_reading(each) for each in readings[row["frame_id"]]),
            stages=tuple(StageRun.model_validate(run) for run in row["stages"]),
        )
        for row in rows
    }


def _by_frame(
    connection: sa.Connection, table: sa.FromClause, order: Any, frame_ids: Sequence[str]
) -> defaultdict[str, list[sa.RowMapping]]:
    rows = connection.execute(sa.select(table).where(table.c.frame_id.in_(frame_ids)).order_by(order)).mappings()
    found: defaultdict[str, list[sa.RowMapping]] = defaultdict(list)
    for row in rows:
        found[row["frame_id"]].append(row)
    return found


def _detection(row: sa.RowMapping) -> Detection:
    return Detection(
        xyxy=(row["x1"], row["y1"], row["x2"], row["y2"]),
        label=row["label"],
        class_id=row["class_id"],
        confidence=row["confidence"],
        corners=row["corners"],
        track_id=row["track_id"],
    )


def _reading(row: sa.RowMapping) -> Reading:
    return Reading(
        text=row["text"],
        confidence=row["confidence"],
        char_confidences=row["char_confidences"],
        detection_index=row["detection_index"],
        sharpness=row["sharpness"],
        alternatives=row["alternatives"] or (),
        country=row["country"],
        country_confidence=row["country_confidence"],
    )

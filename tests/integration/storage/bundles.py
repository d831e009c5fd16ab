"""Messages as they leave the last stage, short to write down."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sightline.types import (
    Detection,
    FrameError,
    FrameRef,
    FrameResult,
    Lane,
    Pipeline,
    Reading,
    StageRun,
)
from sightline.wire.messages import Job, Message

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
_numbers = itertools.count()


def unique(prefix: str) -> str:
    return f"{prefix}-{next(_numbers):08d}"


def stage_run(stage: str) -> StageRun:
    return StageRun(
        stage=stage,  # type: ignore[arg-type]
        model=f"{stage}-model",
        model_sha256="ab" * 32,
        runtime="onnxruntime",
        worker=f"{stage}@host",
        queue_wait_ms=3.5,
        inference_ms=12.25,
        batch_size=4,
    )


def frame_result(
    texts: Iterable[str | tuple[str, float]] = ("AB12CD",),
    *,
    at_s: float = 0.0,
    source: str = "gate",
    sequence: str | None = "live",
    frame_id: str | None = None,
    detections: int | None = None,
    error: str | None = None,
    dropped: str | None = None,
) -> FrameResult:
    """A frame taken `at_s` seconds after noon, with one detection and one reading per text."""
    pairs = [(text, 0.9) if isinstance(text, str) else text for text in texts]
    frame = FrameRef(
        frame_id=frame_id or unique("frame"),
        source_id=source,
        captured_at=NOON + timedelta(seconds=at_s),
        seq=7,
        name="one.jpg",
        sequence=sequence,
    )
    if error is not None:
        return FrameResult(frame=frame, error=FrameError(reason=error, message=f"it is {error}", stage="detect"))
    if dropped is not None:
        return FrameResult(frame=frame, dropped=dropped)
    count = len(pairs) if detections is None else detections
    return FrameResult(
        frame=frame,
        width=1280,
        height=720,
        detections=tuple(
            Detection(
                xyxy=(10.5 + 200 * index, 20.0, 110.0 + 200 * index, 50.25),
                label="plate",
                class_id=3,
                confidence=0.75,
                corners=((10.5, 20.0), (110.0, 20.0), (110.0, 50.25), (10.5, 50.25)) if index == 0 else None,
            )
            for index in range(count)
        ),
        readings=tuple(
            Reading(
                text=text,
                confidence=confidence,
                char_confidences=(confidence,) * len(text),
                detection_index=index if index < count else None,
            )
            for index, (text, confidence) in enumerate(pairs)
        ),
        stages=(stage_run("detect"), stage_run("ocr")),
    )


def message(
    *results: FrameResult,
    job_id: str | None = None,
    pipeline: Pipeline = Pipeline.PLATES,
    lane: Lane = Lane.LIVE,
    published_at: float = 1_777_000_000.123456,
) -> Message:
    job = Job(
        job_id=job_id or unique("job"),
        pipeline=pipeline,
        lane=lane,
        frames=tuple(result.frame for result in results),
        published_at=published_at,
    )
    return Message(job=job, results=results)

"""Stages that do what a test says, and jobs for them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sightline.blobs.names import frames_name, payload_name
from sightline.ids import new_id
from sightline.pipelines import registry
from sightline.pipelines.crops import crop_key
from sightline.pipelines.queues import DETECT_TASK, OCR_TASK, WRITE_TASK
from sightline.types import Detection, FrameRef, FrameResult, Lane, Pipeline
from sightline.wire.messages import Job, Message
from workers.batching.batcher import Batcher
from workers.stages.payloads import bundles_of
from workers.stages.runner import run_message
from workers.stages.services import Services
from workers.stages.step import Stage, Step

BOX = Detection(xyxy=(0, 0, 8, 4), label="plate", class_id=0, confidence=0.9)


class FakeStage:
    task = DETECT_TASK

    def __init__(self, work: Callable[[Message], None], following: Callable[[Step], Step | None] | None = None) -> None:
        self._work = work
        self._following = following
        self.runners: dict[str, Batcher[Any, Any]] = {}

    def work(self, step: Step) -> Step | None:
        self._work(step.message)
        return self._following(step) if self._following else None

    def dump(self, payload: dict[str, str]) -> dict[str, bytes]:
        return {key: f"dumped {crop}".encode() for key, crop in payload.items()}

    def close(self) -> None: ...


def run_stage(stage: FakeStage, services: Services, raw: Any, *, redelivered: bool) -> None:
    """In a worker that has no other stage."""
    run_message({stage.task: stage}, stage.task, services, raw, redelivered=redelivered)


def message() -> dict[str, Any]:
    frame = FrameRef(frame_id=new_id(), source_id="gate", captured_at=datetime.now(UTC))
    job = Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=(frame,))
    return Message(job=job).dump()


def raising(error: BaseException) -> FakeStage:
    def work(_message: Message) -> None:
        raise error

    return FakeStage(work)


def found(step: Step) -> Step:
    """A plate in every frame, cut out."""
    job = step.message.job
    results = tuple(FrameResult(frame=frame, detections=(BOX,)) for frame in job.frames)
    crops = {crop_key(frame.frame_id, 0): "a crop" for frame in job.frames}
    return Step(OCR_TASK, Message(job=job, results=results), crops)


def in_process(*stages: FakeStage) -> dict[str, Stage]:
    """Stages of one worker, in their order."""
    found: dict[str, Stage] = {}
    for stage, task in zip(stages, (DETECT_TASK, OCR_TASK, WRITE_TASK), strict=False):
        stage.task = task
        found[task] = stage
    return found


def with_pixels(services: Services) -> Message:
    """A message whose frame and crop lie in the frame store."""
    box = Detection(xyxy=(0, 0, 1, 1), label="plate", class_id=0, confidence=0.9)
    given = Message.model_validate(message())
    frame = given.job.frames[0]
    services.frames.put_bundle(frames_name(given.job.job_id), {frame.frame_id: b"frame"})
    services.frames.put_bundle(payload_name(given.job.job_id, "crops"), {crop_key(frame.frame_id, 0): b"crop"})
    return given.model_copy(update={"results": (FrameResult(frame=frame, detections=(box,)),)})


def pixels_of(services: Services, message: Message) -> list[bytes | None]:
    found = [services.frames.get_bundle(name, keys) for name, keys in bundles_of(message).items()]
    return [data for bundle in found for data in bundle]


def stale(pipeline: Pipeline = Pipeline.PLATES, *, frames: int = 2) -> Job:
    refs = [FrameRef(frame_id=new_id(), source_id="gate", captured_at=datetime.now(UTC)) for _ in range(frames)]
    late = time.time() - 1
    return Job(job_id=new_id(), pipeline=pipeline, lane=Lane.LIVE, frames=tuple(refs), deadline_at=late, entered=True)


def sent_to(services: Services, task: str) -> list[Any]:
    """The messages that wait for a stage, in every lane, taken off its queue."""
    queue, client = registry().routes[task], services.delivery.ledger._redis
    found: list[Any] = []
    for key in (queue, f"{queue}\x06\x163", f"{queue}\x06\x166"):
        entries: Any = client.lpop(key, 100) or ()
        found += [json.loads(json.loads(entry)["body"])[1]["message"] for entry in reversed(entries)]
    return found

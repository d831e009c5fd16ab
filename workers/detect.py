"""The detect stage: fetch, decode, batch across jobs, detect, cut crops."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sightline.errors import FrameMissingError, ModelError, PoisonError
from sightline.frames import FrameStore, crop_key, frames_name
from sightline.messages import Job, Message
from sightline.queues import DETECT_TASK, OCR_TASK, WRITE_TASK, next_task
from sightline.settings import Settings
from sightline.types import (
    Detection,
    FrameError,
    FrameRef,
    FrameResult,
    Lane,
    Pipeline,
    StageRun,
)
from workers.batching import Batched, Batcher
from workers.detectors import Detector, open_detector
from workers.images import BgrImage, crop, decode
from workers.outcomes import outcome_of
from workers.step import Step

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Decoded:
    frame: FrameRef
    image: BgrImage | None
    error: FrameError | None


class DetectStage:
    """One detector and one batcher per model, however many pipelines use it."""

    task = DETECT_TASK

    def __init__(self, settings: Settings, frames: FrameStore, worker_name: str) -> None:
        self._settings = settings
        self._frames = frames
        self._worker_name = worker_name
        self._models = {
            Pipeline.PLATES: settings.plates_model,
            Pipeline.TEXT: settings.text_model,
            Pipeline.OBJECTS: settings.objects_model,
        }
        self._detectors: dict[str, Detector | ModelError] = {}
        self.batchers: dict[str, Batcher[BgrImage, list[Detection]]] = {}
        for name in dict.fromkeys(self._models.values()):
            self._open(name)

    def work(self, step: Step) -> Step:
        message, job = step.message, step.message.job
        started_at = time.time()
        detector = self._detector(job.pipeline)
        decoded = self._decode(job)
        images = [item.image for item in decoded if item.image is not None]
        found = iter(self._detect(detector.model.name, images, job.lane))
        results: list[FrameResult] = []
        crops: dict[str, BgrImage] = {}
        for item in decoded:
            outcome = item.error if item.image is None else next(found)
            if item.image is not None and isinstance(outcome, Batched):
                waited_s = started_at - message.handed_over_at
                results.append(self._result(item.frame, item.image, outcome, detector, waited_s))
                if job.pipeline is not Pipeline.OBJECTS:
                    crops |= _crops(item.frame, item.image, outcome.value, detector.model.crop_margin)
            else:
                results.append(FrameResult(frame=item.frame, error=cast("FrameError | None", outcome)))
        following = next_task(job.pipeline, DETECT_TASK)
        if following == OCR_TASK and not crops:
            following = WRITE_TASK
        return Step(following, Message(job=job, results=tuple(results)), crops)

    def close(self) -> None:
        for batcher in self.batchers.values():
            batcher.close()

    def _open(self, name: str) -> None:
        settings = self._settings
        try:
            detector = open_detector(name, settings)
        except ModelError as error:
            # The other pipelines still work; jobs that need this model become dead letters saying so.
            log.warning("%s", error)
            self._detectors[name] = error
            return
        detector.warm()
        self._detectors[name] = detector
        self.batchers[name] = Batcher(
            detector.detect, max_batch_size=settings.max_batch_size, max_wait_ms=settings.max_wait_ms, name=name
        )

    def _detector(self, pipeline: Pipeline) -> Detector:
        found = self._detectors[self._models[pipeline]]
        if isinstance(found, ModelError):
            raise found
        return found

    def _decode(self, job: Job) -> list[_Decoded]:
        ids = [frame.frame_id for frame in job.frames]
        blobs = self._frames.get_bundle(frames_name(job.job_id), ids)
        return [self._decode_one(frame, data) for frame, data in zip(job.frames, blobs, strict=True)]

    def _decode_one(self, frame: FrameRef, data: bytes | None) -> _Decoded:
        settings = self._settings
        try:
            if data is None:
                raise FrameMissingError(
                    f"frame {frame.frame_id}: no pixels in the frame store (never put there, or their TTL is over)",
                    frame_id=frame.frame_id,
                )
            return _Decoded(frame, decode(data, max_mb=settings.max_image_mb, max_mpx=settings.max_image_mpx), None)
        except PoisonError as error:
            return _Decoded(frame, None, FrameError(reason=error.reason, message=str(error)[:500], stage="detect"))

    def _detect(self, model: str, images: list[BgrImage], lane: Lane) -> list[Batched[list[Detection]] | FrameError]:
        return [outcome_of(ticket, "detect") for ticket in self.batchers[model].submit(images, lane)]

    def _result(
        self, frame: FrameRef, image: BgrImage, found: Batched[list[Detection]], detector: Detector, waited_s: float
    ) -> FrameResult:
        return FrameResult(
            frame=frame,
            width=image.shape[1],
            height=image.shape[0],
            detections=tuple(found.value),
            stages=(
                StageRun(
                    stage="detect",
                    model=detector.model.name,
                    model_sha256=detector.model.sha256,
                    runtime=detector.model.runtime,
                    worker=self._worker_name,
                    queue_wait_ms=max(0.0, waited_s * 1000),
                    inference_ms=found.inference_ms,
                    batch_size=found.batch_size,
                ),
            ),
        )


def _crops(frame: FrameRef, image: BgrImage, detections: Sequence[Detection], margin: float) -> dict[str, BgrImage]:
    return {
        crop_key(frame.frame_id, index): crop(image, detection, margin=margin)
        for index, detection in enumerate(detections)
    }

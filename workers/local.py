"""The stages in one process, without queues: the very code the workers run, for tools that look at single pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from sightline.delivery import Delivery
from sightline.errors import BadImageError
from sightline.jobs import NewFrame, make_job
from sightline.messages import Job, Message
from sightline.queues import DETECT_TASK, OCR_TASK, WRITE_TASK
from sightline.redis_connection import connect
from sightline.results import ResultBoard
from sightline.settings import Settings
from sightline.testing import MemoryFrameStore
from sightline.types import FrameResult, Lane, Pipeline
from workers.detect import DetectStage
from workers.ocr import OcrStage
from workers.services import Services


class LocalStages:
    """Detect and OCR, handing over in memory. Every pipeline uses `plates_model`, so that no other model is loaded."""

    def __init__(self, settings: Settings) -> None:
        settings = settings.model_copy(
            update={"text_model": settings.plates_model, "objects_model": settings.plates_model}
        )
        self._settings = settings
        self._delivery = _InMemory()
        self._frames = MemoryFrameStore()
        # Only a live job past its deadline is posted to the board: nothing connects to this Redis.
        board = ResultBoard(connect(settings.redis_url), result_ttl_s=1)
        services = Services(settings, self._delivery, self._frames, board, "local")
        self._stages = {DETECT_TASK: DetectStage(services), OCR_TASK: OcrStage(services)}

    def run(self, job: Job, pixels: Mapping[str, bytes]) -> tuple[FrameResult, ...]:
        """What the writer would get: one result per frame of the job, in order. `pixels`: encoded files by frame_id.

        Raises:
            ModelError: the model cannot be had; says what to do.
        """
        self._frames.put_many(pixels)
        task, message = DETECT_TASK, Message(job=job)
        while task != WRITE_TASK:
            self._stages[task].work(message)
            task, message = self._delivery.task, self._delivery.message
        self._frames.pixels.clear()
        return message.results

    def read_photo(self, data: bytes, name: str, source_id: str) -> tuple[Job, FrameResult]:
        """One encoded picture through `plates`, as it would be submitted now.

        Raises:
            BadImageError: naming the picture, and why nothing can be read from it.
            ModelError: as for `run`.
        """
        new = NewFrame(data, datetime.now(UTC), name)
        try:
            job, pixels = make_job(
                [new], self._settings, pipeline=Pipeline.PLATES, lane=Lane.INTERACTIVE, source_id=source_id
            )
        except BadImageError as error:
            raise BadImageError(f"{name}: {error}") from error
        (result,) = self.run(job, pixels)
        if result.error:
            raise BadImageError(f"{name}: {result.error.message}")
        return job, result

    def close(self) -> None:
        for stage in self._stages.values():
            stage.close()


class _InMemory(Delivery):
    """Keeps what a stage hands over."""

    task: str
    message: Message

    def __init__(self) -> None: ...

    def hand_over(self, task: str, job: Job, results: Iterable[FrameResult]) -> None:
        self.task, self.message = task, Message(job=job, results=tuple(results))

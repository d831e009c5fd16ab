"""The detect stage: fetch, decode, batch across jobs, detect, cut crops."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Final

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
from workers.batching import Batched, Batcher, Ticket
from workers.detectors import Detector, open_detector
from workers.images import BgrImage, Picture, crop, decode_small, encode_jpeg, use_one_thread
from workers.outcomes import outcome_of
from workers.room import Room
from workers.services import Services
from workers.step import Step

log = logging.getLogger(__name__)


_DECODED_AT_ONCE: Final = 4  #: frames, before the model is asked
_CROP_JPEG_QUALITY: Final = 95  # text is read from these pixels

#: A picture that the model was asked about, or why it was not.
_Asked = tuple[Picture, Ticket[BgrImage, list[Detection]]] | FrameError
#: A picture and what was found on it, or why there is neither.
_Seen = tuple[Picture, Batched[list[Detection]]] | FrameError


def open_stage(services: Services) -> DetectStage:
    use_one_thread()
    return DetectStage(services.settings, services.frames, services.worker_name)


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
        self._rooms: dict[tuple[str, Lane], Room] = {}  #: of each model
        for name in dict.fromkeys(self._models.values()):
            self._open(name)

    def work(self, step: Step) -> Step:
        job = step.message.job
        waited_s = time.time() - step.message.handed_over_at
        detector = self._detector(job.pipeline)
        results: list[FrameResult] = []
        crops: dict[str, BgrImage] = {}
        with closing(self._look(job, detector)) as looks:
            for frame, seen in zip(job.frames, looks, strict=True):
                if isinstance(seen, FrameError):
                    results.append(FrameResult(frame=frame, error=seen))
                    continue
                picture, found = seen
                results.append(self._result(frame, picture, found, detector, waited_s))
                if job.pipeline is not Pipeline.OBJECTS:
                    crops |= _crops(frame, picture.image, found.value, detector.model.crop_margin)
        following = next_task(job.pipeline, DETECT_TASK)
        if following == OCR_TASK and not crops:
            following = WRITE_TASK
        return Step(following, Message(job=job, results=tuple(results)), crops or None)

    def dump(self, payload: Mapping[str, BgrImage]) -> Mapping[str, bytes]:
        """Crops by crop key -> JPEG files."""
        return {key: encode_jpeg(image, quality=_CROP_JPEG_QUALITY) for key, image in payload.items()}

    def close(self) -> None:
        for batcher in self.batchers.values():
            batcher.close()

    def _open(self, name: str) -> None:
        settings = self._settings
        try:
            detector = open_detector(name, settings)
            detector.warm()
        except ModelError as error:
            # The other pipelines still work; jobs that need this model become dead letters saying so.
            log.warning("%s", error)
            self._detectors[name] = error
            return
        self._detectors[name] = detector
        model = detector.model
        most = min(settings.max_batch_size, model.most_at_once or settings.max_batch_size)
        # While the model looks at some, the next batches are decoded. With room for just one more, live frames waited
        # for its decoding beside bulk of single frames. No lane waits for the room of another.
        self._rooms |= {(name, lane): Room(4 * most * model.calls_at_once) for lane in Lane}
        self.batchers[name] = Batcher(
            detector.detect,
            max_batch_size=most,
            max_wait_ms=settings.max_wait_ms,
            name=name,
            calls_at_once=model.calls_at_once,
        )

    def _detector(self, pipeline: Pipeline) -> Detector:
        found = self._detectors[self._models[pipeline]]
        if isinstance(found, ModelError):
            raise found
        return found

    def _look(self, job: Job, detector: Detector) -> Generator[_Seen]:
        """What is seen on each frame, in order.

        While the model looks at some, the next are decoded, as far as there is room for them.
        """
        ids = [frame.frame_id for frame in job.frames]
        # Where crops are cut from a picture, all its pixels are needed.
        least_px = max(detector.model.input_size) if job.pipeline is Pipeline.OBJECTS else 0
        ahead: deque[list[_Asked]] = deque()
        with self._rooms[detector.model.name, job.lane].share(of_job=len(ids)) as share:

            def oldest() -> Iterator[_Seen]:
                for asked in ahead.popleft():
                    yield _seen(asked)

            blobs: Sequence[bytes | None] = ()
            for start in range(0, len(ids), _DECODED_AT_ONCE):
                some = slice(start, start + _DECODED_AT_ONCE)
                while not share.take(len(ids[some])):
                    yield from oldest()
                    share.reuse(_DECODED_AT_ONCE)
                blobs = blobs or self._frames.get_bundle(frames_name(job.job_id), ids)
                pictures = [self._decode(*one, least_px) for one in zip(job.frames[some], blobs[some], strict=True)]
                ahead.append(self._ask(pictures, detector.model.name, job.lane))
            while ahead:
                yield from oldest()
                share.give_back(_DECODED_AT_ONCE)

    def _ask(self, pictures: Sequence[Picture | FrameError], model: str, lane: Lane) -> list[_Asked]:
        """Have the model look at some pictures together."""
        images = [one.image for one in pictures if isinstance(one, Picture)]
        tickets = iter(self.batchers[model].submit(images, lane))
        return [(one, next(tickets)) if isinstance(one, Picture) else one for one in pictures]

    def _decode(self, frame: FrameRef, data: bytes | None, least_px: int) -> Picture | FrameError:
        max_mb, max_mpx = self._settings.max_image_mb, self._settings.max_image_mpx
        try:
            if data is None:
                raise FrameMissingError(
                    f"frame {frame.frame_id}: no pixels in the frame store (never put there, or their TTL is over)",
                    frame_id=frame.frame_id,
                )
            return decode_small(data, least_px=least_px, max_mb=max_mb, max_mpx=max_mpx)
        except PoisonError as error:
            return FrameError(reason=error.reason, message=str(error)[:500], stage="detect")

    def _result(
        self, frame: FrameRef, picture: Picture, found: Batched[list[Detection]], detector: Detector, waited_s: float
    ) -> FrameResult:
        return FrameResult(
            frame=frame,
            width=picture.width,
            height=picture.height,
            detections=picture.in_full(found.value),
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


def _seen(asked: _Asked) -> _Seen:
    """Wait for what the model saw."""
    if isinstance(asked, FrameError):
        return asked
    picture, ticket = asked
    found = outcome_of(ticket, "detect")
    return found if isinstance(found, FrameError) else (picture, found)


def _crops(frame: FrameRef, image: BgrImage, detections: Sequence[Detection], margin: float) -> dict[str, BgrImage]:
    return {
        crop_key(frame.frame_id, index): crop(image, detection, margin=margin)
        for index, detection in enumerate(detections)
    }

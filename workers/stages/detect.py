"""The detect stage: fetch, decode, batch across jobs, detect, cut crops."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Final, NamedTuple

from sightline.blobs.names import frames_name
from sightline.blobs.store import FrameStore
from sightline.errors import FrameMissingError, ModelError, PoisonError, SettingsError
from sightline.pipelines import PipelineSpec, registry
from sightline.pipelines.ask import LOOKED_AT_AS, READ_AS, AskResult, Seen, looked_at_as, pictures_of
from sightline.pipelines.crops import crop_key
from sightline.pipelines.queues import DETECT_TASK
from sightline.settings import Settings
from sightline.types import (
    Detection,
    FrameError,
    FrameRef,
    FrameResult,
    ItemResult,
    Lane,
    Pipeline,
    StageRun,
)
from sightline.wire.messages import Job, Message
from sightline.wire.models import LoadedModel
from workers.batching.batcher import Batched, Batcher, Ticket
from workers.batching.outcomes import outcome_of
from workers.detectors import Detector, open_detector
from workers.detectors.tiles import joined, tiles_of
from workers.models.computing import computing
from workers.models.files import must_be_fetched
from workers.models.opening import Opening
from workers.models.registry import ModelSpec, find_model
from workers.pixels.decode_budget import DecodeBudget
from workers.pixels.images import BgrImage, Picture, crop, decode_small, encode_jpeg, use_one_thread
from workers.stages.services import Services
from workers.stages.step import Step

log = logging.getLogger(__name__)


_DECODED_AT_ONCE: Final = 4  #: frames, before the model is asked
_SENT_BACK_AFTER_S: Final = 0.2  #: where a job's model is being opened
_CROP_JPEG_QUALITY: Final = 95  # text is read from these pixels

#: A picture that models were asked about, or why they were not.
_Asked = tuple[Picture, Sequence[Ticket[BgrImage, list[Detection]]]] | FrameError
#: A picture and what a model found on it, or why there is neither.
_Seen = tuple[Picture, Batched[list[Detection]]] | FrameError


def open_stage(services: Services) -> DetectStage:
    delivery = services.delivery

    def send_back(job: Job) -> None:
        delivery.patience.pause(_SENT_BACK_AFTER_S)
        delivery.hand_over(DETECT_TASK, job, ())

    use_one_thread()
    return DetectStage(services.settings, services.frames, services.worker_name, send_back=send_back)


class _Loaded(NamedTuple):
    """A detector that is ready."""

    detector: Detector
    batcher: Batcher[BgrImage, list[Detection]]
    rooms: Mapping[Lane, DecodeBudget]  #: for decoded pictures
    spec: ModelSpec


class DetectStage:
    """One detector and one batcher per model, however many pipelines use it.

    A model whose weights must be downloaded is opened for the first job that wants it, beside the work on others.
    Until it is there, its jobs go back to the end of their line.
    """

    task = DETECT_TASK

    def __init__(
        self,
        settings: Settings,
        frames: FrameStore,
        worker_name: str,
        *,
        send_back: Callable[[Job], None] | None = None,
    ) -> None:
        """`send_back` puts a job to the end of its line; without it, jobs wait for their model."""
        self._settings = settings
        self._frames = frames
        self._worker_name = worker_name
        self._send_back = send_back
        known = registry()
        self._models = {
            spec.name: _model_of(spec, settings) for spec in known.all() if DETECT_TASK in known.tasks[spec.name]
        }
        self._openings = {name: Opening(partial(self._open, name)) for name in self._models.values()}
        for name, opening in self._openings.items():
            with suppress(ModelError):  # the other pipelines still work; jobs that need this model say so
                if not must_be_fetched(name, settings):
                    opening.get(wait=True)

    @property
    def runners(self) -> dict[str, Batcher[BgrImage, list[Detection]]]:
        """Those of the models that are open."""
        return {name: loaded.batcher for name, opening in self._openings.items() if (loaded := opening.opened)}

    @property
    def models(self) -> list[LoadedModel]:
        """Those that are open."""
        return [loaded.detector.model for opening in self._openings.values() if (loaded := opening.opened)]

    def work(self, step: Step) -> Step | None:
        whole = step.message.job
        is_question = whole.pipeline == Pipeline.ASK
        job = _pictures_of(whole) if is_question else whole
        if not job.frames:
            return self._leave(whole, [AskResult(frame=item) for item in whole.frames])
        waited_s = time.time() - step.message.handed_over_at
        models, missing = self._models_for(job)
        if None in models.values():
            assert self._send_back is not None
            self._send_back(whole)
            return None
        ready = {pipeline: loaded for pipeline, loaded in models.items() if loaded}
        results: dict[Pipeline, list[FrameResult]] = {pipeline: [] for pipeline in ready}
        crops: dict[str, BgrImage] = {}
        are_read = READ_AS if is_question else (job.pipeline,) * registry().wants_payload(job.pipeline, DETECT_TASK)
        with closing(self._look(job, [*ready.values()])) as looks:
            for frame, several in zip(job.frames, looks, strict=True):
                for (pipeline, loaded), seen in zip(ready.items(), several, strict=True):
                    if isinstance(seen, FrameError):
                        results[pipeline].append(FrameResult(frame=frame, error=seen))
                        continue
                    picture, found = seen
                    if pipeline == Pipeline.PLATES and not found.value and self._looks_closer(frame, loaded.spec):
                        found = _closer(picture, found, loaded, job.lane)
                    model = loaded.detector.model
                    results[pipeline].append(self._result(frame, picture, found, loaded.detector, waited_s))
                    if pipeline in are_read:
                        known_as = looked_at_as(frame, pipeline) if is_question else frame
                        margin = max(model.crop_margin, model.context or 0.0)
                        crops |= _crops(known_as, picture.image, found.value, margin)
        left = _by_question(whole, results, missing) if is_question else results[job.pipeline]
        return self._leave(whole, left, crops)

    def dump(self, payload: Mapping[str, BgrImage]) -> Mapping[str, bytes]:
        """Crops by crop key -> JPEG files."""
        return {key: encode_jpeg(image, quality=_CROP_JPEG_QUALITY) for key, image in payload.items()}

    def _leave(self, job: Job, results: Sequence[ItemResult], crops: dict[str, BgrImage] | None = None) -> Step:
        following = registry().next_task(job.pipeline, DETECT_TASK, has_payload=bool(crops))
        return Step(following, Message(job=job, results=tuple(results)), crops or None)

    def close(self) -> None:
        for batcher in self.runners.values():
            batcher.close()

    def _models_for(self, job: Job) -> tuple[dict[Pipeline, _Loaded | None], list[FrameError]]:
        """What looks at the pictures of a job, None where it is being opened, and what of a question's cannot be had.

        Raises:
            ModelError: none can be opened.
        """
        models: dict[Pipeline, _Loaded | None] = {}
        errors: list[ModelError] = []
        wanted = LOOKED_AT_AS if job.pipeline == Pipeline.ASK else (job.pipeline,)
        for pipeline in wanted:
            try:
                models[pipeline] = self._openings[self._models[pipeline]].get(wait=self._send_back is None)
            except ModelError as error:
                errors.append(error)
        if not models:
            raise errors[0]
        return models, [FrameError(reason=one.reason, message=str(one)[:500], stage="detect") for one in errors]

    def _open(self, name: str) -> _Loaded:
        settings = self._settings
        try:
            detector = open_detector(name, settings)
            detector.warm()
        except ModelError as error:
            log.warning("%s", error)
            raise
        model = detector.model
        most = min(settings.max_batch_size, model.most_at_once or settings.max_batch_size)
        batcher = Batcher(
            detector.detect,
            max_batch_size=most,
            max_wait_ms=settings.max_wait_ms,
            name=name,
            calls_at_once=model.calls_at_once,
        )
        # While the model looks at some, the next batches are decoded. With room for just one more, live frames waited
        # for its decoding beside bulk of single frames. No lane waits for the room of another.
        rooms = {lane: DecodeBudget(4 * most * model.calls_at_once) for lane in Lane}
        return _Loaded(detector, batcher, rooms, find_model(name, settings))

    def _look(self, job: Job, models: Sequence[_Loaded]) -> Generator[Sequence[_Seen]]:
        """What each model sees on each frame, in order.

        While they look at some, the next are decoded, as far as there is room for them.
        """
        ids = job.keys
        # Where crops are cut from a picture, all its pixels are needed.
        cuts_crops = registry().wants_payload(job.pipeline, DETECT_TASK)
        least_px = 0 if cuts_crops else max(max(one.detector.model.input_size) for one in models)
        ahead: deque[list[_Asked]] = deque()
        with models[0].rooms[job.lane].share(of_job=len(ids)) as share:

            def oldest() -> Iterator[Sequence[_Seen]]:
                for asked in ahead.popleft():
                    yield [asked] * len(models) if isinstance(asked, FrameError) else _seen(*asked)

            blobs: Sequence[bytes | None] = ()
            for start in range(0, len(ids), _DECODED_AT_ONCE):
                some = slice(start, start + _DECODED_AT_ONCE)
                while not share.take(len(ids[some])):
                    yield from oldest()
                    share.reuse(_DECODED_AT_ONCE)
                blobs = blobs or self._frames.get_bundle(frames_name(job.job_id), ids)
                pictures = [self._decode(*one, least_px) for one in zip(job.frames[some], blobs[some], strict=True)]
                ahead.append(_ask(pictures, [one.batcher for one in models], job.lane))
            while ahead:
                yield from oldest()
                share.give_back(_DECODED_AT_ONCE)

    def _looks_closer(self, frame: FrameRef, spec: ModelSpec) -> bool:
        """Whether there is time to look at the parts of a picture on which nothing was found."""
        when = self._settings.plates_close_look
        return spec.close_look and (when == "all" or (when == "photos" and frame.sequence is None))

    def _decode(self, frame: FrameRef, data: bytes | None, least_px: int) -> Picture | FrameError:
        max_mb, max_mpx = self._settings.max_image_mb, self._settings.max_image_mpx
        try:
            if data is None:
                raise FrameMissingError(
                    f"frame {frame.frame_id}: no pixels in the frame store (never put there, or their TTL is over)",
                    frame_id=frame.frame_id,
                )
            with computing.call():
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


def _model_of(spec: PipelineSpec, settings: Settings) -> str:
    """The name of a pipeline's detector. Raises SettingsError if nobody says it."""
    pipeline = Pipeline.OBJECTS if spec.name == Pipeline.ASK else spec.name
    name = getattr(settings, f"{pipeline}_model", "") or spec.models.get("detect", "")
    if not name:
        raise SettingsError(f"pipeline {str(spec.name)!r}: models: none for its stage 'detect'; name a detector there")
    return name


def _pictures_of(job: Job) -> Job:
    """The job with each picture of its questions as a frame."""
    return job.model_copy(update={"frames": tuple(one for item in job.frames for one in pictures_of(item))})


def _by_question(
    job: Job, results: Mapping[Pipeline, Sequence[FrameResult]], missing: Sequence[FrameError]
) -> list[ItemResult]:
    """What was seen on the pictures of each. One that is bad costs itself alone."""
    of_pictures = (dict(zip(results, several, strict=True)) for several in zip(*results.values(), strict=True))
    left: list[ItemResult] = []
    for item in job.frames:
        mine = [next(of_pictures) for _ in pictures_of(item)]
        seen = tuple(Seen.of(found) for found in mine)
        runs = tuple(run for found in mine for result in found.values() for run in result.stages)
        in_part = [
            result.error
            for found, one in zip(mine, seen, strict=True)
            if not one.error
            for result in found.values()
            if result.error
        ]
        failed = (*missing, *in_part) if mine else ()
        left.append(AskResult(frame=item, stages=runs, seen=seen, failed=failed))
    return left


def _ask(
    pictures: Sequence[Picture | FrameError], batchers: Sequence[Batcher[BgrImage, list[Detection]]], lane: Lane
) -> list[_Asked]:
    """Have each model look at some pictures together."""
    images = [one.image for one in pictures if isinstance(one, Picture)]
    tickets = zip(*(batcher.submit(images, lane) for batcher in batchers), strict=True)
    return [(one, next(tickets)) if isinstance(one, Picture) else one for one in pictures]


def _seen(picture: Picture, tickets: Sequence[Ticket[BgrImage, list[Detection]]]) -> list[_Seen]:
    """Wait for what each model saw."""
    outcomes = [outcome_of(ticket, "detect") for ticket in tickets]
    return [found if isinstance(found, FrameError) else (picture, found) for found in outcomes]


def _closer(picture: Picture, found: Batched[list[Detection]], loaded: _Loaded, lane: Lane) -> Batched[list[Detection]]:
    """What is found on parts of a picture; nothing, if one of them cannot be looked at.

    A part does not show what a box is part of. So none is sure by itself: what is read in it has to be.
    """
    tiles = tiles_of(picture.image)
    tickets = loaded.batcher.submit([tile.image for tile in tiles], lane)
    looked = [one for one in (outcome_of(ticket, "detect") for ticket in tickets) if isinstance(one, Batched)]
    if not tiles or len(looked) < len(tiles):
        return found
    most = 1.0 if loaded.spec.sure_confidence is None else 0.99 * loaded.spec.sure_confidence
    boxes = joined(picture.image, tiles, [one.value for one in looked])
    unsure = [one.model_copy(update={"confidence": min(one.confidence, most)}) for one in boxes]
    return found._replace(value=unsure, inference_ms=found.inference_ms + sum(one.inference_ms for one in looked))


def _crops(frame: FrameRef, image: BgrImage, detections: Sequence[Detection], margin: float) -> dict[str, BgrImage]:
    return {
        crop_key(frame.frame_id, index): crop(image, detection, margin=margin)
        for index, detection in enumerate(detections)
    }

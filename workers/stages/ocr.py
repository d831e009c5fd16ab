"""The OCR stage: fetch crops, batch across jobs, recognize, keep what is confident enough."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sightline.errors import PoisonError
from sightline.pipelines import PipelineSpec, registry
from sightline.pipelines.ask import READ_AS, AskResult, to_be_read, with_readings
from sightline.pipelines.crops import crop_keys
from sightline.pipelines.queues import OCR_TASK
from sightline.settings import Settings
from sightline.types import FrameError, FrameResult, ItemResult, Lane, Pipeline, Reading, StageRun
from sightline.wire.messages import Message
from sightline.wire.models import LoadedModel
from workers.batching.batcher import Batched, Batcher, Ticket
from workers.batching.outcomes import outcome_of
from workers.models.registry import find_model
from workers.pixels.images import BgrImage, decode, sharpness, use_one_thread, with_margin
from workers.recognizers import open_named_recognizer, open_recognizer
from workers.recognizers.doubt import without_doubtful
from workers.recognizers.scripts import LINE_CONFIDENCE, without_noise
from workers.stages.services import Services
from workers.stages.step import Step

#: By crop key; where a crop cannot be had, why.
Crops = Mapping[str, BgrImage | FrameError]


class _Asked(NamedTuple):
    """Crops that a recognizer was asked about."""

    pipeline: Pipeline
    cuts: Sequence[tuple[FrameResult, list[BgrImage] | FrameError]]
    tickets: Sequence[Ticket[BgrImage, Reading]]
    model: LoadedModel
    usual: float | None  #: margin with which sharpness is measured


def open_stage(services: Services) -> OcrStage:
    use_one_thread()
    return OcrStage(services.settings, services.worker_name)


class OcrStage:
    """One recognizer and its batcher for all text, and those of pipelines that read with another."""

    task = OCR_TASK

    def __init__(self, settings: Settings, worker_name: str, *, show_all: bool = False) -> None:
        """`show_all` leaves boxes in of which nobody is sure, for tools that tell why."""
        self._settings = settings
        self._worker_name = worker_name
        spec = find_model(settings.plates_model, settings)
        #: What recognizers without wishes get around a box; None: what was cut, which is no more.
        self._usual_margin = None if spec.context is None else spec.crop_margin
        self._sure_box = None if show_all else spec.sure_confidence
        text = open_recognizer(settings)
        self._recognizers = {settings.recognizer: text}
        self._names = {spec.name: _recognizer_of(spec, settings) for spec in registry().all() if _reads(spec)}
        for name in {*self._names.values()} - {settings.recognizer}:
            self._recognizers[name] = open_named_recognizer(name, settings, text)
        self.runners: dict[str, Batcher[BgrImage, Reading]] = {
            name: Batcher(
                recognizer.recognize,
                max_batch_size=settings.max_batch_size,
                max_wait_ms=settings.max_wait_ms,
                name=name,
                calls_at_once=recognizer.model.calls_at_once,
            )
            for name, recognizer in self._recognizers.items()
        }

    @property
    def models(self) -> list[LoadedModel]:
        """Those that are open."""
        return [recognizer.model for recognizer in self._recognizers.values()]

    def work(self, step: Step) -> Step:
        message, crops = step.message, step.payload or {}
        job = message.job
        waited_ms = max(0.0, (time.time() - message.handed_over_at) * 1000)
        results: Sequence[ItemResult]
        if job.pipeline == Pipeline.ASK:
            results = self._of_questions(message, crops, waited_ms)
        else:
            results = self._read(self._submit(job.pipeline, message.results, crops, job.lane), waited_ms)
        following = registry().next_task(job.pipeline, OCR_TASK, has_payload=False)
        return Step(following, Message(job=job, results=tuple(results)))

    def _of_questions(self, message: Message, crops: Crops, waited_ms: float) -> list[ItemResult]:
        """Their pictures are read as those of several pipelines, side by side."""
        questions = [one for one in message.results if isinstance(one, AskResult)]
        pictures = [one for question in questions for one in to_be_read(question)]
        asked = [
            self._submit(pipeline, [one for of, one in pictures if of == pipeline], crops, message.job.lane)
            for pipeline in READ_AS
        ]
        read = {one.pipeline: iter(self._read(one, waited_ms)) for one in asked}
        return [with_readings(one, [next(read[pipeline]) for pipeline, _ in to_be_read(one)]) for one in questions]

    def _submit(self, pipeline: Pipeline, results: Sequence[ItemResult], crops: Crops, lane: Lane) -> _Asked:
        """All crops go to the batcher at once, so that they share batches."""
        cuts = _by_frame(results, crops)
        name = self._names[pipeline]
        model = self._recognizers[name].model
        usual = self._usual_margin if pipeline == Pipeline.PLATES else None
        margin = usual if model.context is None else model.context
        images = [
            image if margin is None else with_margin(image, box, margin)
            for result, cut in cuts
            if isinstance(cut, list)
            for image, box in zip(cut, result.detections, strict=True)
        ]
        return _Asked(pipeline, cuts, self.runners[name].submit(images, lane), model, usual)

    def _read(self, asked: _Asked, waited_ms: float) -> list[FrameResult]:
        """Wait for what the recognizer read."""
        read = [outcome_of(ticket, "ocr") for ticket in asked.tickets]
        results: list[FrameResult] = []
        for result, cut in asked.cuts:
            if isinstance(cut, FrameError):
                results.append(result.model_copy(update={"error": cut}))
                continue
            mine, read = read[: len(cut)], read[len(cut) :]
            # Pixels are at hand here, and nowhere later.
            measured = [
                sharpness(image if asked.usual is None else with_margin(image, box, asked.usual))
                for image, box in zip(cut, result.detections, strict=True)
            ]
            failed = next((item for item in mine if isinstance(item, FrameError)), None)
            if failed is not None:
                results.append(result.model_copy(update={"error": failed}))
                continue
            batched = [item for item in mine if isinstance(item, Batched)]
            results.append(self._with_readings(result, batched, measured, asked, waited_ms))
        return results

    def load(self, blobs: Mapping[str, bytes | None]) -> Crops:
        """Files by crop key -> crops."""
        return {key: self._decode(key, data) for key, data in blobs.items()}

    def close(self) -> None:
        for batcher in self.runners.values():
            batcher.close()

    def _decode(self, key: str, data: bytes | None) -> BgrImage | FrameError:
        settings = self._settings
        if data is None:
            text = f"crop {key} is not in the frame store (its TTL is over)"
            return FrameError(reason="frame_missing", message=text, stage="ocr")
        try:
            return decode(data, max_mb=settings.max_image_mb, max_mpx=settings.max_image_mpx)
        except PoisonError as error:
            return FrameError(reason=error.reason, message=f"crop {key}: {error}"[:500], stage="ocr")

    def _with_readings(
        self,
        result: FrameResult,
        read: list[Batched[Reading]],
        measured: list[float],
        asked: _Asked,
        waited_ms: float,
    ) -> FrameResult:
        if not read:
            return result
        model = asked.model
        run = StageRun(
            stage="ocr",
            model=model.name,
            model_sha256=model.sha256,
            runtime=model.runtime,
            worker=self._worker_name,
            queue_wait_ms=waited_ms,
            inference_ms=sum(item.inference_ms for item in read),
            batch_size=max(item.batch_size for item in read),
        )
        of_lines = asked.pipeline != Pipeline.PLATES  # what is no plate is nothing there
        said = [
            _honest(item.value, is_line=of_lines and box.confidence >= LINE_CONFIDENCE)
            for item, box in zip(read, result.detections, strict=True)
        ]
        readings = tuple(
            one.model_copy(update={"detection_index": index, "sharpness": measured[index]})
            for index, one in enumerate(said)
            if one.unread or (one.text and one.confidence >= self._settings.min_reading_confidence)
        )
        whole = result.model_copy(update={"readings": readings, "stages": (*result.stages, run)})
        return whole if of_lines else without_doubtful(whole, self._sure_box)


def _honest(reading: Reading, *, is_line: bool) -> Reading:
    """A line in an unknown script is said to be one; of what is surely no line that is not known."""
    if not reading.unread:
        return reading
    return without_noise(reading) if is_line else reading.model_copy(update={"unread": None})


def _reads(spec: PipelineSpec) -> bool:
    return any(stage.task == OCR_TASK for stage in spec.stages)


def _recognizer_of(spec: PipelineSpec, settings: Settings) -> str:
    """The name of a pipeline's recognizer."""
    own = getattr(settings, f"whole_{spec.name}_recognizer", "") or spec.models.get("ocr", "")
    return own or settings.recognizer


def _by_frame(results: Sequence[ItemResult], crops: Crops) -> list[tuple[FrameResult, list[BgrImage] | FrameError]]:
    """The crops of each frame's detections, in order, or why one of them cannot be had."""
    found: list[tuple[FrameResult, list[BgrImage] | FrameError]] = []
    for result in results:
        assert isinstance(result, FrameResult)  # of a stage before, that cut out the crops
        keys = [] if result.error or result.dropped else crop_keys(result)
        cut = [crops[key] for key in keys]
        failed = next((one for one in cut if isinstance(one, FrameError)), None)
        found.append((result, failed or [one for one in cut if not isinstance(one, FrameError)]))
    return found

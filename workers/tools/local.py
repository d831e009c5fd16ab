"""All of Sightline that reads plates, in one process: the very stages and storage of the workers, without queues.

For tools that look at single pictures or clips. The database is SQLite in a temporary folder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from sightline.errors import BadImageError
from sightline.images.header import ImageLimits
from sightline.pipelines import registry
from sightline.pipelines.queues import DETECT_TASK, OCR_TASK, WRITE_TASK
from sightline.settings import Settings
from sightline.submission.jobs import NewFrame, make_job
from sightline.testing import MemoryFrameStore
from sightline.types import FrameResult, Lane, Pipeline
from sightline.wire.messages import Job, Message
from storage.database.opening import open_database
from storage.database.revision import upgrade
from storage.items.writers import RowsOfPipelines
from storage.results import queries
from storage.results.explanations import Explanation, explain
from storage.results.store import Store
from workers.models.registry import find_model
from workers.recognizers.doubt import doubtful_ones
from workers.stages.detect import DetectStage
from workers.stages.ocr import OcrStage
from workers.stages.step import Step

#: Below this a detector is guessing.
_LEAST_CONFIDENCE: Final = 0.05


class LocalSystem:
    """Detect, OCR and write, handing over in memory. Every pipeline uses `plates_model`: no other model is loaded.

    With `show_all` results hold also the boxes and readings below the limits of the settings. They are never stored.
    """

    def __init__(self, settings: Settings, *, show_all: bool = False) -> None:
        self._settings = settings
        detecting = (f"{name}_model" for name, tasks in registry().tasks.items() if DETECT_TASK in tasks)
        update: dict[str, object] = {name: settings.plates_model for name in detecting if name in Settings.model_fields}
        if show_all:
            least = min(_LEAST_CONFIDENCE, settings.min_confidence)
            update |= {"min_confidence": least, "min_reading_confidence": 0.0}
        self._sure_box = find_model(settings.plates_model, settings).sure_confidence
        self._frames = MemoryFrameStore()
        shown = settings.model_copy(update=update)
        self._stages = {
            DETECT_TASK: DetectStage(shown, self._frames, "local"),
            OCR_TASK: OcrStage(shown, "local", show_all=show_all),
        }
        self._folder = tempfile.TemporaryDirectory(prefix="sightline-local-")
        url = f"sqlite:///{Path(self._folder.name) / 'local.sqlite3'}"
        upgrade(url)
        self.database = open_database(url)
        self._store = Store(self.database, RowsOfPipelines(settings.model_copy(update={"parked_gap_s": 0.0})))

    def process(self, job: Job, pixels: Mapping[str, bytes]) -> tuple[FrameResult, ...]:
        """Bring a job to its end. Returns one result per frame, in order. `pixels`: encoded files by frame_id.

        Raises:
            ModelError: the model cannot be had; says what to do.
        """
        self._frames.put_many(pixels)
        step = Step(registry().first_task(job.pipeline), Message(job=job))
        while step.task != WRITE_TASK:
            following = self._stages[step.task].work(step)
            assert following is not None  # nothing is sent back here
            step = following
        self._frames.pixels.clear()
        results = tuple(result for result in step.message.results if isinstance(result, FrameResult))
        self._store.store([Message(job=job, results=tuple(map(self._kept, results)))], kept=())
        return results

    def explain_photo(self, data: bytes, name: str, source_id: str) -> Explanation:
        """Submit one encoded picture to `plates` and explain what came of it.

        Raises:
            BadImageError: naming the picture, and why nothing can be read from it.
            ModelError: as for `process`.
        """
        try:
            new = NewFrame.photo(data, name, limits=ImageLimits.of(self._settings))
            job, pixels = make_job(
                [new], self._settings, pipeline=Pipeline.PLATES, lane=Lane.INTERACTIVE, source_id=source_id
            )
        except BadImageError as error:
            raise BadImageError(f"{name}: {error}") from error
        (result,) = self.process(job, pixels)
        if result.error:
            raise BadImageError(f"{name}: {result.error.message}")
        heard = [index for index, _ in enumerate(result.readings) if self._is_heard(result, index)]
        passages = queries.passages_of(self.database, result.frame.frame_id)
        return explain(
            result,
            {heard[index]: passage for index, passage in passages.items()},
            min_confidence=self._settings.min_confidence,
            min_reading_confidence=self._settings.min_reading_confidence,
            doubtful=doubtful_ones(result, self._sure_box),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for stage in self._stages.values():
            stage.close()
        self.database.close()
        self._folder.cleanup()

    def _kept(self, result: FrameResult) -> FrameResult:
        """What a worker with the limits of the settings would have handed to the writer."""
        heard = (reading for index, reading in enumerate(result.readings) if self._is_heard(result, index))
        return result.model_copy(update={"readings": tuple(heard)})

    def _is_heard(self, result: FrameResult, index: int) -> bool:
        reading = result.readings[index]
        box = None if reading.detection_index is None else result.detections[reading.detection_index]
        if reading.detection_index in doubtful_ones(result, self._sure_box):
            return False
        is_sure = box is None or box.confidence >= self._settings.min_confidence
        return is_sure and reading.confidence >= self._settings.min_reading_confidence

"""Which recognizer reads the crops of which pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import workers.ocr
from sightline.frames import crop_key
from sightline.messages import Job, Message
from sightline.models import LoadedModel
from sightline.queues import OCR_TASK, WRITE_TASK
from sightline.settings import Settings
from sightline.testing import MemoryFrameStore, make_frame_refs
from sightline.types import Detection, FrameResult, Pipeline, Reading
from workers.images import encode_jpeg
from workers.ocr import OcrStage
from workers.step import Step

pytestmark = pytest.mark.unit

CAR = Detection(xyxy=(0, 0, 40, 20), label="plate", class_id=0, confidence=0.9)


class Named:
    """Reads its own name everywhere."""

    def __init__(self, name: str) -> None:
        self.model = LoadedModel(name=name, sha256="", runtime="stub")

    def recognize(self, crops: list[Any]) -> list[Reading]:
        return [Reading(text=self.model.name, confidence=0.9) for _ in crops]


@pytest.mark.parametrize(
    ("setting", "pipeline", "reader"),
    [("voted", Pipeline.PLATES, "own"), ("voted", Pipeline.TEXT, "general"), ("", Pipeline.PLATES, "general")],
)
@pytest.mark.parametrize("is_stored", [True, False])
def test_plates_may_have_a_recognizer_of_their_own(
    monkeypatch: pytest.MonkeyPatch, setting: Any, pipeline: Pipeline, reader: str, is_stored: bool
):
    monkeypatch.setattr(workers.ocr, "open_recognizer", lambda _: Named("general"))
    monkeypatch.setattr(workers.ocr, "open_plates_recognizer", _open_own)
    (frame,) = make_frame_refs(1)
    frames = MemoryFrameStore()
    crop = np.zeros((20, 40, 3), np.uint8)
    frames.put_many({crop_key(frame.frame_id, 0): encode_jpeg(crop)} if is_stored else {})
    stage = OcrStage(Settings(plates_recognizer=setting), frames, "ocr")
    try:
        job = Job(job_id="job-00001", pipeline=pipeline, frames=(frame,))
        message = Message(job=job, results=(FrameResult(frame=frame, detections=(CAR,)),))
        left = stage.work(Step(OCR_TASK, message, {} if is_stored else {crop_key(frame.frame_id, 0): crop}))
    finally:
        stage.close()
    (result,) = left.message.results
    assert left.task == WRITE_TASK
    assert [reading.text for reading in result.readings] == [reader]
    assert result.stages[0].model == reader


def _open_own(settings: Settings, _text: Any) -> Named | None:
    return Named("own") if settings.plates_recognizer else None

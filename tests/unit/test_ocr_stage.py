"""Which recognizer reads the crops of which pipeline."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import workers.ocr
from sightline.messages import Job, Message
from sightline.models import LoadedModel
from sightline.settings import Settings
from sightline.testing import make_frame_refs
from sightline.types import Detection, FrameResult, Pipeline, Reading
from workers.images import encode_jpeg
from workers.ocr import OcrStage

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
def test_plates_may_have_a_recognizer_of_their_own(
    monkeypatch: pytest.MonkeyPatch, setting: Any, pipeline: Pipeline, reader: str
):
    monkeypatch.setattr(workers.ocr, "open_recognizer", lambda _: Named("general"))
    monkeypatch.setattr(workers.ocr, "open_plates_recognizer", lambda s: Named("own") if s.plates_recognizer else None)
    handed: list[FrameResult] = []
    crop = encode_jpeg(np.zeros((20, 40, 3), np.uint8))
    services: Any = SimpleNamespace(
        settings=Settings(plates_recognizer=setting),
        frames=SimpleNamespace(get_bundle=lambda _name, keys: [crop] * len(keys)),
        delivery=SimpleNamespace(hand_over=lambda task, job, results: handed.extend(results)),
        worker_name="ocr",
    )
    (frame,) = make_frame_refs(1)
    stage = OcrStage(services)
    try:
        job = Job(job_id="job-00001", pipeline=pipeline, frames=(frame,))
        stage.work(Message(job=job, results=(FrameResult(frame=frame, detections=(CAR,)),)))
    finally:
        stage.close()
    assert [reading.text for reading in handed[0].readings] == [reader]
    assert handed[0].stages[0].model == reader

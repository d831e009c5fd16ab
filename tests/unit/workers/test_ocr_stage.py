"""Which recognizer reads the crops of which pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import workers.stages.ocr
from sightline.pipelines.crops import crop_key
from sightline.pipelines.queues import OCR_TASK, WRITE_TASK
from sightline.settings import Settings
from sightline.testing import make_frame_refs
from sightline.types import Detection, FrameResult, Pipeline, Reading
from sightline.wire.messages import Job, Message
from sightline.wire.models import LoadedModel
from workers.pixels.images import encode_jpeg
from workers.stages.ocr import OcrStage
from workers.stages.step import Step

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
    monkeypatch.setattr(workers.stages.ocr, "open_recognizer", lambda _: Named("general"))
    monkeypatch.setattr(workers.stages.ocr, "open_named_recognizer", lambda *_: Named("own"))
    (frame,) = make_frame_refs(1)
    key, crop = crop_key(frame.frame_id, 0), np.zeros((20, 40, 3), np.uint8)
    stage = OcrStage(Settings(plates_recognizer=setting), "ocr")
    try:
        job = Job(job_id="job-00001", pipeline=pipeline, frames=(frame,))
        message = Message(job=job, results=(FrameResult(frame=frame, detections=(CAR,)),))
        payload = stage.load({key: encode_jpeg(crop)}) if is_stored else {key: crop}
        left = stage.work(Step(OCR_TASK, message, payload))
    finally:
        stage.close()
    (result,) = left.message.results
    assert left.task == WRITE_TASK
    assert [reading.text for reading in result.readings] == [reader]
    assert result.stages[0].model == reader


@pytest.mark.parametrize(
    ("context", "pipeline", "shape"),
    [
        (0.5, Pipeline.PLATES, (40, 60)),  # a box of 40 x 20 and half of its height around it
        (None, Pipeline.PLATES, (26, 46)),  # what `plates-detector` says for recognizers without wishes
        (None, Pipeline.TEXT, (40, 60)),  # as it was cut
    ],
)
def test_a_recognizer_sees_as_much_around_a_box_as_it_wants(
    monkeypatch: pytest.MonkeyPatch, context: float | None, pipeline: Pipeline, shape: tuple[int, int]
) -> None:
    class Measuring(Named):
        def recognize(self, crops: list[Any]) -> list[Reading]:
            return [Reading(text="{} {}".format(*crop.shape), confidence=0.9) for crop in crops]

    reader = Measuring("reader")
    reader.model = reader.model.model_copy(update={"context": context})
    monkeypatch.setattr(workers.stages.ocr, "open_recognizer", lambda _: reader)
    (frame,) = make_frame_refs(1)
    job = Job(job_id="job-00001", pipeline=pipeline, frames=(frame,))
    message = Message(job=job, results=(FrameResult(frame=frame, detections=(CAR,)),))
    stage = OcrStage(Settings(plates_recognizer=""), "ocr")
    try:
        left = stage.work(Step(OCR_TASK, message, {crop_key(frame.frame_id, 0): np.zeros((40, 60, 3), np.uint8)}))
    finally:
        stage.close()
    assert left.message.results[0].readings[0].text == "{} {}".format(*shape)


class Foreign(Named):
    """Reads a line that is half in a script it does not know."""

    def recognize(self, crops: list[Any]) -> list[Reading]:
        sure = (0.4, 0.3, 0.95, 0.95)
        return [Reading(text="NL42", confidence=0.65, char_confidences=sure, unread="script") for _ in crops]


@pytest.mark.parametrize(
    ("pipeline", "confidence", "left"),
    [
        (Pipeline.TEXT, 0.9, [("42", "script")]),
        (Pipeline.TEXT, 0.6, [("NL42", None)]),  # perhaps it is no line
        (Pipeline.PLATES, 0.9, [("NL42", None)]),  # letters on plates are told by their form
    ],
)
def test_a_line_in_an_unknown_script_says_so_instead_of_noise(
    monkeypatch: pytest.MonkeyPatch, pipeline: Pipeline, confidence: float, left: list[tuple[str, str | None]]
) -> None:
    monkeypatch.setattr(workers.stages.ocr, "open_recognizer", lambda _: Foreign("general"))
    (frame,) = make_frame_refs(1)
    box = CAR.model_copy(update={"confidence": confidence})
    job = Job(job_id="job-00001", pipeline=pipeline, frames=(frame,))
    message = Message(job=job, results=(FrameResult(frame=frame, detections=(box,)),))
    stage = OcrStage(Settings(plates_recognizer=""), "ocr")
    try:
        done = stage.work(Step(OCR_TASK, message, {crop_key(frame.frame_id, 0): np.zeros((20, 40, 3), np.uint8)}))
    finally:
        stage.close()
    assert [(one.text, one.unread) for one in done.message.results[0].readings] == left


@pytest.mark.parametrize(("show_all", "boxes"), [(False, 1), (True, 2)])
def test_a_box_on_a_photo_that_nobody_is_sure_of_is_left_out(
    monkeypatch: pytest.MonkeyPatch, show_all: bool, boxes: int
) -> None:
    class Unsure(Named):
        def recognize(self, crops: list[Any]) -> list[Reading]:
            return [Reading(text="P85681CC", confidence=0.86, char_confidences=(0.9, 0.65)) for _ in crops]

    monkeypatch.setattr(workers.stages.ocr, "open_recognizer", lambda _: Unsure("general"))
    photo = make_frame_refs(1)[0].model_copy(update={"sequence": None})
    badge = CAR.model_copy(update={"confidence": 0.56})
    job = Job(job_id="job-00001", pipeline=Pipeline.PLATES, frames=(photo,))
    message = Message(job=job, results=(FrameResult(frame=photo, detections=(badge, CAR)),))
    stage = OcrStage(Settings(plates_recognizer="", plates_model="plates-detector"), "ocr", show_all=show_all)
    try:
        crops = {crop_key(photo.frame_id, at): np.zeros((40, 80, 3), np.uint8) for at in range(2)}
        (result,) = stage.work(Step(OCR_TASK, message, crops)).message.results
    finally:
        stage.close()
    assert len(result.detections) == boxes
    assert [one.detection_index for one in result.readings] == list(range(boxes))


def test_a_frame_whose_crop_is_gone_or_damaged_is_dead_and_the_others_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers.stages.ocr, "open_recognizer", lambda _: Named("general"))
    frames = make_frame_refs(3)
    good, gone, damaged = (crop_key(frame.frame_id, 0) for frame in frames)
    blobs = {good: encode_jpeg(np.zeros((20, 40, 3), np.uint8)), gone: None, damaged: b"no picture"}
    job = Job(job_id="job-00001", pipeline=Pipeline.TEXT, frames=tuple(frames))
    message = Message(job=job, results=tuple(FrameResult(frame=frame, detections=(CAR,)) for frame in frames))
    stage = OcrStage(Settings(plates_recognizer=""), "ocr")
    try:
        results = stage.work(Step(OCR_TASK, message, stage.load(blobs))).message.results
    finally:
        stage.close()
    assert [[reading.text for reading in result.readings] for result in results] == [["general"], [], []]
    assert [result.error and result.error.reason for result in results] == [None, "frame_missing", "bad_image"]

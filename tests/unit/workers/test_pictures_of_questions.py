"""What `detect` and `ocr` do with the pictures of a question: objects, plates and texts side by side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

import workers.stages.detect
from sightline.errors import ModelError
from sightline.pipelines.ask import AskResult
from sightline.pipelines.crops import crop_keys
from sightline.pipelines.queues import ARRIVE, DETECT_TASK, OCR_TASK
from sightline.settings import Settings, load_settings
from sightline.testing import MemoryFrameStore, StubDetector, make_picture
from sightline.types import FrameError, Item, Part, Pipeline
from sightline.wire.messages import Job, Message
from sightline.wire.parts import Part as ArrivedPart
from workers.stages.detect import DetectStage
from workers.stages.joining import join
from workers.stages.ocr import OcrStage
from workers.stages.step import Step

pytestmark = pytest.mark.unit

STUBS = load_settings(plates_model="stub", text_model="stub", objects_model="stub", recognizer="stub")


def question(pictures: Sequence[bytes]) -> tuple[Job, MemoryFrameStore]:
    keys = [f"frame-0001.p{number}" for number in range(len(pictures))]
    parts = (Part(medium="text", text="Who?"), *(Part(medium="image", key=key) for key in keys))
    item = Item(frame_id="frame-0001", source_id="ask", captured_at=datetime.now(UTC), parts=parts)
    frames = MemoryFrameStore()
    frames.put_many(dict(zip(keys, pictures, strict=True)))
    return Job(job_id="job-0001-0001", pipeline=Pipeline.ASK, frames=(item,)), frames


def examined(job: Job, frames: MemoryFrameStore, *, apart: bool = False, settings: Settings = STUBS) -> Step:
    """What both stages leave; `apart`: in two processes."""
    detect, ocr = DetectStage(settings, frames, "test"), OcrStage(settings, "test")
    try:
        step = detect.work(Step(DETECT_TASK, Message(job=job)))
        assert step is not None
        if step.task != OCR_TASK:
            return step
        if apart:
            (result,) = step.message.results
            stored = detect.dump(step.payload)
            assert set(crop_keys(result)) == set(stored)
            message = Message.model_validate_json(step.message.model_dump_json())
            message = message.model_copy(update={"results": step.message.results})
            step = Step(OCR_TASK, message, ocr.load(stored))
        return ocr.work(step)
    finally:
        detect.close()
        ocr.close()


@pytest.mark.parametrize("apart", [False, True])
def test_each_picture_is_looked_at_for_objects_plates_and_texts(apart: bool) -> None:
    step = examined(*question([make_picture("AB12CD"), make_picture(""), make_picture("XY34ZW")]), apart=apart)
    assert step.task == ARRIVE
    (result,) = step.message.results
    assert isinstance(result, AskResult)
    first, empty, last = result.seen
    assert [len(first.detections), len(first.plates), len(first.texts)] == [1, 1, 1]
    assert [one.reading and one.reading.text for one in (*first.plates, *first.texts)] == ["AB12CD", "AB12CD"]
    assert (empty.detections, empty.plates, empty.texts) == ((), (), ())
    assert [one.reading and one.reading.text for one in last.plates] == ["XY34ZW"]
    assert {run.stage for run in result.stages} == {"detect", "ocr"}


def test_pictures_without_anything_to_read_pass_ocr_by() -> None:
    job, frames = question([make_picture("")])
    assert examined(job, frames).task == ARRIVE


def test_a_model_that_cannot_be_had_costs_what_it_would_have_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_objects(name: str, settings: object) -> StubDetector:
        if name == "gone":
            raise ModelError("no weights", model=name)
        return StubDetector()

    monkeypatch.setattr(workers.stages.detect, "open_detector", without_objects)
    settings = STUBS.model_copy(update={"objects_model": "gone"})
    (result,) = examined(*question([make_picture("AB12CD")]), settings=settings).message.results
    assert isinstance(result, AskResult)
    assert ([error.message for error in result.failed], len(result.seen[0].plates)) == (["no weights"], 1)


def test_a_bad_picture_costs_itself_alone() -> None:
    (result,) = examined(*question([b"no picture", make_picture("AB12CD")])).message.results
    assert isinstance(result, AskResult)
    bad, good = result.seen
    assert bad.error is not None
    assert [one.reading and one.reading.text for one in good.plates] == ["AB12CD"]


def test_pictures_that_are_alike_stay_several_where_branches_join() -> None:
    job, frames = question([make_picture(""), make_picture("")])
    seen = examined(job, frames).message.results
    heard = (AskResult(frame=job.frames[0], error=FrameError(reason="bad", message="", stage="transcribe")),)
    (joined,) = join(job, {"ocr": ArrivedPart(seen), "transcribe": ArrivedPart(heard)}, "any")
    assert isinstance(joined, AskResult)
    assert len(joined.seen) == 2

"""What the detect stage cuts out for the next one."""

from __future__ import annotations

import pytest

from sightline.frames import crop_key
from sightline.messages import Job, Message
from sightline.queues import DETECT_TASK
from sightline.settings import load_settings
from sightline.testing import MemoryFrameStore, StubDetector, make_frame_refs, make_picture
from sightline.types import Lane, Pipeline
from workers.detect import DetectStage
from workers.step import Step


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_a_model_says_how_much_is_cut_around_its_boxes(margin: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StubDetector, "model", StubDetector.model.model_copy(update={"crop_margin": margin}))
    frames = MemoryFrameStore()
    settings = load_settings(plates_model="stub", text_model="stub", objects_model="stub")
    stage = DetectStage(settings, frames, "test")
    (ref,) = make_frame_refs(1)
    frames.put_many({ref.frame_id: make_picture("AB12CD")})
    job = Job(job_id="job-0001-0001", pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=(ref,))
    step = stage.work(Step(DETECT_TASK, Message(job=job)))
    stage.close()
    (detection,) = step.message.results[0].detections
    left, top, right, bottom = detection.xyxy
    crop = step.crops[crop_key(ref.frame_id, 0)]
    pad = 2 * margin * (bottom - top)
    assert crop.shape[:2] == (round(bottom - top + pad), round(right - left + pad))

"""What the detect stage cuts out for the next one."""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
import pytest

from sightline.frames import crop_key
from sightline.messages import Job, Message
from sightline.settings import load_settings
from sightline.testing import MemoryFrameStore, StubDetector, make_frame_refs, make_picture
from sightline.types import FrameResult, Lane, Pipeline
from workers.detect import DetectStage
from workers.services import Services


class Handed:
    """Keeps what a stage hands over."""

    results: tuple[FrameResult, ...] = ()

    def hand_over(self, _task: str, _job: Job, results: Any) -> None:
        self.results = tuple(results)


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_a_model_says_how_much_is_cut_around_its_boxes(margin: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StubDetector, "model", StubDetector.model.model_copy(update={"crop_margin": margin}))
    frames, handed = MemoryFrameStore(), Handed()
    settings = load_settings(plates_model="stub", text_model="stub", objects_model="stub")
    stage = DetectStage(Services(settings, cast("Any", handed), frames, cast("Any", None), "test"))
    (ref,) = make_frame_refs(1)
    frames.put_many({ref.frame_id: make_picture("AB12CD")})
    stage.work(Message(job=Job(job_id="job-0001-0001", pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=(ref,))))
    stage.close()
    (detection,) = handed.results[0].detections
    left, top, right, bottom = detection.xyxy
    crop = cv2.imdecode(np.frombuffer(frames.pixels[crop_key(ref.frame_id, 0)], np.uint8), cv2.IMREAD_COLOR)
    assert crop is not None
    pad = 2 * margin * (bottom - top)
    assert crop.shape[:2] == (round(bottom - top + pad), round(right - left + pad))

"""How the detect stage decodes ahead of its model, and what it cuts out for the next stage."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

import workers.detect
from sightline.frames import crop_key
from sightline.messages import Job, Message
from sightline.queues import DETECT_TASK
from sightline.settings import load_settings
from sightline.testing import MemoryFrameStore, StubDetector, make_frame_refs, make_picture
from sightline.types import Detection, FrameRef, Lane, Pipeline
from workers.detect import DetectStage
from workers.images import decode
from workers.step import Step

STUBS = load_settings(plates_model="stub", text_model="stub", objects_model="stub")


def job_of(refs: Sequence[FrameRef]) -> Job:
    return Job(job_id="job-0001-0001", pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=tuple(refs))


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_a_model_says_how_much_is_cut_around_its_boxes(margin: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StubDetector, "model", StubDetector.model.model_copy(update={"crop_margin": margin}))
    frames = MemoryFrameStore()
    stage = DetectStage(STUBS, frames, "test")
    (ref,) = make_frame_refs(1)
    frames.put_many({ref.frame_id: make_picture("AB12CD")})
    step = stage.work(Step(DETECT_TASK, Message(job=job_of([ref]))))
    stage.close()
    (detection,) = step.message.results[0].detections
    left, top, right, bottom = detection.xyxy
    crop = step.crops[crop_key(ref.frame_id, 0)]
    pad = 2 * margin * (bottom - top)
    assert crop.shape[:2] == (round(bottom - top + pad), round(right - left + pad))


def test_only_a_few_pictures_are_decoded_ahead_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle of 64 pictures of 1080p, decoded at once, would take 400 MB."""
    decoded, looked_at = list[int](), threading.Event()

    def count(data: bytes, **limits: Any) -> Any:
        decoded.append(len(decoded))
        return decode(data, **limits)

    def wait(self: StubDetector, images: Any) -> list[list[Detection]]:
        assert looked_at.wait(10)
        return [[] for _ in images]

    monkeypatch.setattr(workers.detect, "decode", count)
    monkeypatch.setattr(StubDetector, "detect", wait)
    frames = MemoryFrameStore()
    refs = make_frame_refs(40)
    frames.put_many(dict.fromkeys([ref.frame_id for ref in refs], make_picture("", width=80, height=80)))
    stage = DetectStage(STUBS, frames, "test")
    working = threading.Thread(target=stage.work, args=(Step(DETECT_TASK, Message(job=job_of(refs))),))
    working.start()
    time.sleep(0.5)
    before = len(decoded)
    looked_at.set()
    working.join(10)
    stage.close()
    assert (before, len(decoded)) == (12, 40)


def test_results_are_in_the_order_of_the_frames_whatever_some_of_them_are() -> None:
    frames = MemoryFrameStore()
    refs = make_frame_refs(9)
    pixels = {ref.frame_id: make_picture("", width=80 + 2 * number, height=80) for number, ref in enumerate(refs)}
    pixels[refs[5].frame_id] = b"no picture"
    del pixels[refs[2].frame_id]
    frames.put_many(pixels)
    stage = DetectStage(STUBS, frames, "test")
    results = stage.work(Step(DETECT_TASK, Message(job=job_of(refs)))).message.results
    stage.close()
    assert [result.error and result.error.reason for result in results] == [
        *(None, None, "frame_missing", None, None, "bad_image", None, None, None)
    ]
    assert [result.width for result in results] == [80, 82, 0, 86, 88, 0, 92, 94, 96]

"""How large and how far ahead of its model the detect stage decodes, and what it cuts out for the next stage."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import workers.stages.detect
from sightline.errors import ModelError
from sightline.pipelines.crops import crop_key
from sightline.pipelines.queues import DETECT_TASK
from sightline.settings import load_settings
from sightline.testing import MemoryFrameStore, StubDetector, make_frame_refs, make_picture
from sightline.types import Detection, FrameRef, Lane, Pipeline
from sightline.wire.messages import Job, Message
from tests.unit.onnx_models import write_rectangle_model, write_yolox_rectangle_model
from workers.detectors.yolo import YoloDetector
from workers.models.download import sum_of
from workers.pixels.images import BgrImage, decode_small, encode_jpeg
from workers.stages.detect import DetectStage
from workers.stages.step import Step

HeldUp = tuple[list[int], threading.Event]

STUBS = load_settings(plates_model="stub", text_model="stub", objects_model="stub")


def job_of(refs: Sequence[FrameRef]) -> Job:
    return Job(job_id="job-0001-0001", pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=tuple(refs))


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> HeldUp:
    """A model that waits for the event; a number is noted for each picture that is decoded."""
    decoded, looked_at = list[int](), threading.Event()

    def count(data: bytes, **limits: Any) -> Any:
        decoded.append(len(decoded))
        return decode_small(data, **limits)

    def wait(self: StubDetector, images: Any) -> list[list[Detection]]:
        assert looked_at.wait(10)
        return [[] for _ in images]

    monkeypatch.setattr(workers.stages.detect, "decode_small", count)
    monkeypatch.setattr(StubDetector, "detect", wait)
    return decoded, looked_at


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
    crop = step.payload[crop_key(ref.frame_id, 0)]
    pad = 2 * margin * (bottom - top)
    assert crop.shape[:2] == (round(bottom - top + pad), round(right - left + pad))


@pytest.mark.parametrize(
    ("when", "is_photo", "found", "looks"),
    [
        ("photos", True, False, 7),
        ("photos", True, True, 1),
        ("photos", False, False, 1),
        ("all", False, False, 7),
        ("none", True, False, 1),
    ],
)
def test_a_large_picture_with_nothing_on_it_is_looked_at_in_parts(
    when: Any, is_photo: bool, found: bool, looks: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In full size the plate at (1000, 600) is seen; `found`: there is a large one beside it, which is seen at once."""
    shapes: list[tuple[int, ...]] = []

    def look(_self: StubDetector, images: Sequence[Any]) -> list[list[Detection]]:
        shapes.extend(image.shape[:2] for image in images)
        small = Detection(xyxy=(360, 520, 450, 540), label="plate", class_id=0, confidence=0.7)
        large = Detection(xyxy=(100, 100, 400, 200), label="plate", class_id=0, confidence=0.5)
        return [
            [large] * found if image.shape[1] > 640 else [small] * bool(image[530, 400, 0] > 99) for image in images
        ]

    models = tmp_path / "models.toml"
    models.write_text('[models.close]\nkind = "stub"\nlabels = ["plate"]\nsure_confidence = 0.6\nclose_look = true\n')
    monkeypatch.setattr(StubDetector, "detect", look)
    settings = STUBS.model_copy(update={"models_file": models, "plates_model": "close", "plates_close_look": when})
    (ref,) = make_frame_refs(1)
    ref = ref.model_copy(update={"sequence": None if is_photo else "live"})
    picture = np.zeros((720, 1280, 3), np.uint8)
    picture[600:620, 1000:1090] = 255
    frames = MemoryFrameStore()
    frames.put_many({ref.frame_id: encode_jpeg(picture)})
    stage = DetectStage(settings, frames, "test")
    shapes.clear()
    step = stage.work(Step(DETECT_TASK, Message(job=job_of([ref]))))
    stage.close()
    left = [(one.xyxy, one.confidence) for one in step.message.results[0].detections]
    assert len(shapes) == looks
    assert left == [((1000, 600, 1090, 620), 0.594)] * (looks > 1) + [((100, 100, 400, 200), 0.5)] * found
    assert len(step.payload or ()) == len(left)


@pytest.mark.parametrize(("max_batch_size", "expected"), [(1, 4), (8, 32)])
def test_only_a_few_pictures_are_decoded_ahead_of_the_model(
    max_batch_size: int, expected: int, held_up: HeldUp
) -> None:
    """A bundle of 64 pictures of 1080p, decoded at once, would take 400 MB."""
    decoded, looked_at = held_up
    frames = MemoryFrameStore()
    refs = make_frame_refs(40)
    frames.put_many(dict.fromkeys([ref.frame_id for ref in refs], make_picture("", width=80, height=80)))
    stage = DetectStage(STUBS.model_copy(update={"max_batch_size": max_batch_size}), frames, "test")
    working = threading.Thread(target=stage.work, args=(Step(DETECT_TASK, Message(job=job_of(refs))),))
    working.start()
    time.sleep(0.5)
    before = len(decoded)
    looked_at.set()
    working.join(10)
    stage.close()
    assert (before, len(decoded)) == (expected, 40)


@pytest.mark.parametrize(("lanes", "expected"), [([Lane.BULK] * 4, 16), ([*[Lane.BULK] * 3, Lane.LIVE], 32)])
def test_jobs_of_a_lane_share_the_room_for_decoded_pictures(lanes: list[Lane], expected: int, held_up: HeldUp) -> None:
    """However many jobs of bulk a worker holds, frames that somebody waits for do not wait for them."""
    decoded, looked_at = held_up
    frames, refs = MemoryFrameStore(), make_frame_refs(64)
    frames.put_many(dict.fromkeys([ref.frame_id for ref in refs], make_picture("", width=80, height=80)))
    stage = DetectStage(STUBS.model_copy(update={"max_batch_size": 4}), frames, "test")
    jobs = [
        job_of(refs[16 * number : 16 * number + 16]).model_copy(update={"lane": lane})
        for number, lane in enumerate(lanes)
    ]
    with ThreadPoolExecutor(len(jobs)) as pool:
        working = [pool.submit(stage.work, Step(DETECT_TASK, Message(job=job))) for job in jobs]
        time.sleep(0.5)
        before = len(decoded)
        looked_at.set()
        steps = [each.result(10) for each in working]
    stage.close()
    assert (before, len(decoded)) == (expected, 64)
    assert [len(step.message.results) for step in steps] == [16, 16, 16, 16]


def test_a_job_that_fails_leaves_its_room_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, refs = MemoryFrameStore(), make_frame_refs(8)
    frames.put_many(dict.fromkeys([ref.frame_id for ref in refs], make_picture("", width=80, height=80)))
    stage = DetectStage(STUBS.model_copy(update={"max_batch_size": 2}), frames, "test")
    with monkeypatch.context() as patch:
        patch.setattr(workers.stages.detect, "decode_small", _no_memory)
        for _ in range(3):
            with pytest.raises(MemoryError):
                stage.work(Step(DETECT_TASK, Message(job=job_of(refs))))
    with ThreadPoolExecutor(1) as pool:
        step = pool.submit(stage.work, Step(DETECT_TASK, Message(job=job_of(refs)))).result(10)
    stage.close()
    assert len(step.message.results) == 8


def _no_memory(*_: Any, **__: Any) -> Any:
    raise MemoryError("no memory to decode")


def test_a_model_that_does_not_run_is_told_of_by_its_jobs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: StubDetector) -> None:
        raise ModelError("model 'stub': it cannot be compiled here", model="stub")

    monkeypatch.setattr(StubDetector, "warm", refuse)
    stage = DetectStage(STUBS, MemoryFrameStore(), "test")
    with pytest.raises(ModelError, match="cannot be compiled"):
        stage.work(Step(DETECT_TASK, Message(job=job_of(make_frame_refs(1)))))
    stage.close()


class Published:
    """A model `own` for `objects` that must be downloaded; the download waits for `arrives`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arrives, self.downloads, self.fails = threading.Event(), 0, False
        models = folder / "models.toml"
        models.write_text(
            '[models.own]\nkind = "yolox"\nsource = "https://models.example/own.onnx"\nlabels = ["plate"]\n'
        )
        self.settings = STUBS.model_copy(
            update={"objects_model": "own", "models_file": models, "models_dir": folder, "threads": 1}
        )
        self.target = folder / "own.onnx"
        self.frames = MemoryFrameStore()
        (self.ref,) = make_frame_refs(1)
        self.frames.put_many({self.ref.frame_id: make_picture("AB12CD")})
        self.sent_back: list[Job] = []
        monkeypatch.setattr("workers.models.files.download", self.download)

    def download(self, url: str, target: Path, **_: Any) -> str:
        self.downloads += 1
        assert self.arrives.wait(10)
        if self.fails:
            raise OSError("no route")
        return sum_of(write_yolox_rectangle_model(target))

    def step(self, pipeline: Pipeline) -> Step:
        return Step(DETECT_TASK, Message(job=job_of([self.ref]).model_copy(update={"pipeline": pipeline})))

    def work_until_done(self, stage: DetectStage) -> Step:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if done := stage.work(self.step(Pipeline.OBJECTS)):
                return done
            time.sleep(0.02)
        raise AssertionError("never opened")


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    return Published(tmp_path, monkeypatch)


def test_a_model_that_must_be_downloaded_is_not_waited_for(published: Published) -> None:
    stage = DetectStage(published.settings, published.frames, "test", send_back=published.sent_back.append)
    assert (published.downloads, list(stage.runners)) == (0, ["stub"])  # until somebody wants it
    for _ in range(3):
        assert stage.work(published.step(Pipeline.OBJECTS)) is None
    assert len(published.sent_back) == 3
    other = stage.work(published.step(Pipeline.PLATES))
    assert other is not None
    assert other.message.results[0].error is None
    published.arrives.set()
    done = published.work_until_done(stage)
    assert (published.downloads, sorted(stage.runners)) == (1, ["own", "stub"])
    assert done.message.results[0].stages[0].model == "own"
    stage.close()


def test_a_download_that_fails_is_said_and_a_file_put_there_is_found_without_a_restart(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.models.opening._TRIED_AGAIN_AFTER_S", 0.0)
    published.fails = True
    published.arrives.set()
    stage = DetectStage(published.settings, published.frames, "test", send_back=published.sent_back.append)
    with pytest.raises(ModelError, match=f"no route.*put it at {published.target}"):
        published.work_until_done(stage)
    write_yolox_rectangle_model(published.target)
    done = published.work_until_done(stage)
    assert done.message.results[0].stages[0].model == "own"
    stage.close()


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


@pytest.mark.parametrize(("pipeline", "seen"), [(Pipeline.OBJECTS, (72, 128)), (Pipeline.PLATES, (288, 512))])
def test_a_picture_is_decoded_as_large_as_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipeline: Pipeline, seen: tuple[int, int]
) -> None:
    file, models = write_rectangle_model(tmp_path / "own.onnx", size=None), tmp_path / "models.toml"
    models.write_text(f'[models.own]\nkind = "yolo26"\nsource = "{file.name}"\ninput_size = 100\nlabels = ["plate"]\n')
    settings = load_settings(models_file=models, plates_model="own", objects_model="own", text_model="stub", threads=1)
    shapes: list[tuple[int, ...]] = []
    detect = YoloDetector.detect

    def noting(self: YoloDetector, images: list[BgrImage]) -> list[list[Detection]]:
        shapes.extend(image.shape[:2] for image in images)
        return detect(self, images)

    monkeypatch.setattr(YoloDetector, "detect", noting)
    stage = DetectStage(settings, frames := MemoryFrameStore(), "test")
    image = np.full((288, 512, 3), 40, np.uint8)
    cv2.rectangle(image, (128, 96), (320, 200), (255, 255, 255), cv2.FILLED)
    (ref,) = make_frame_refs(1)
    frames.put_many({ref.frame_id: encode_jpeg(image)})
    job = Job(job_id="job-0001-0001", pipeline=pipeline, lane=Lane.BULK, frames=(ref,))
    (result,) = stage.work(Step(DETECT_TASK, Message(job=job))).message.results
    stage.close()
    assert shapes[-1] == seen
    assert (result.width, result.height) == (512, 288)
    (found,) = result.detections
    assert found.xyxy == pytest.approx((128, 96, 321, 201), abs=8.1)

"""The text detector finds lines of text, with corners that `crop` turns into something readable."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.settings import Settings
from workers.detectors import Detector, open_detector
from workers.models.computing import computing
from workers.pixels.images import BgrImage, crop
from workers.recognizers import Recognizer, open_recognizer


@pytest.fixture(scope="module", params=["onnxruntime", "openvino"])
def detector(request: pytest.FixtureRequest) -> Detector:
    return open_detector("ppocr-text", Settings(runtime=request.param, threads=1))


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return open_recognizer(Settings(threads=1))


def street(*texts: tuple[str, int, int], size: tuple[int, int] = (640, 360), angle: float = 0) -> BgrImage:
    """White signs with black letters on gray, turned by `angle` degrees."""
    width, height = size
    image = np.full((height, width, 3), 90, np.uint8)
    for text, x, y in texts:
        (text_width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.2, 3)
        cv2.rectangle(image, (x - 12, y - 45), (x + text_width + 12, y + 18), (250, 250, 250), -1)
        cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (10, 10, 10), 3, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    return np.asarray(cv2.warpAffine(image, turn, size, borderValue=(90, 90, 90)), np.uint8)


def test_lines_come_from_top_to_bottom_and_can_be_read(detector: Detector, recognizer: Recognizer):
    image = street(("SECOND 22", 200, 300), ("AB123CD", 100, 100))
    (detections,) = detector.detect([image])
    assert [(d.label, d.class_id) for d in detections] == [("text", 0)] * 2
    assert all(0.5 <= d.confidence <= 1 for d in detections)
    readings = recognizer.recognize([crop(image, detection) for detection in detections])
    assert [reading.text for reading in readings] == ["AB123CD", "SECOND 22"]
    x1, y1, x2, y2 = detections[0].xyxy
    assert (x1, y1, x2, y2) == pytest.approx((95, 70, 280, 105), abs=20)


@pytest.mark.parametrize("angle", [-25, -8, 12, 30])
def test_tilted_text_is_cut_level_and_read(detector: Detector, recognizer: Recognizer, angle: float):
    image = street(("AB123CD", 230, 190), angle=angle)
    ((detection,),) = detector.detect([image])
    assert detection.corners is not None
    (left_x, left_y), (right_x, right_y), *_ = detection.corners
    assert math.degrees(math.atan2(left_y - right_y, right_x - left_x)) == pytest.approx(angle, abs=4)
    assert recognizer.recognize([crop(image, detection)])[0].text == "AB123CD"


def test_pictures_of_any_shape_keep_their_place(detector: Detector):
    big = street(("AB123CD", 900, 1000), size=(2000, 1500))
    empty = np.full((50, 400, 3), 90, np.uint8)
    needle = np.zeros((4000, 3, 3), np.uint8)
    found = detector.detect([empty, big, needle, street(("AB123CD", 100, 100))])
    assert [len(detections) for detections in found] == [0, 1, 0, 1]
    assert found[1][0].xyxy[0] == pytest.approx(895, abs=20)
    assert detector.detect([]) == []


def test_min_confidence_is_honored():
    strict = open_detector("ppocr-text", Settings(min_confidence=1.0, threads=1))
    assert strict.detect([street(("AB123CD", 100, 100))]) == [[]]


def test_the_model_names_itself(detector: Detector):
    detector.warm()
    assert detector.model.name == "ppocr-text"
    assert detector.model.labels == ("text",)
    assert detector.model.input_size == (960, 960)


def test_side_by_side_each_call_has_a_network_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []

    def open_rapidocr(*_: object, threads: int, **__: object) -> Any:
        opened.append(threads)
        return object()

    monkeypatch.setattr("workers.detectors.text.open_rapidocr", open_rapidocr)
    monkeypatch.setattr("workers.models.runtimes.count_cores", lambda: 2)
    settings = Settings(runtime="openvino")
    detector: Any = open_detector("ppocr-text", settings, side_by_side=True)
    assert (detector.model.calls_at_once, opened) == (2, [0, 1, 1])
    with detector._free() as alone:
        assert alone is detector._alone
    with ExitStack() as held:
        held.enter_context(computing.call())
        first, second = (held.enter_context(detector._free()) for _ in range(2))
    assert len({id(one) for one in (alone, first, second)}) == 3


@pytest.mark.parametrize("given", [{"runtime": "onnxruntime"}, {"runtime": "openvino", "threads": 1}])
def test_without_several_threads_of_openvino_there_is_one_network(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> None:
    opened: list[int] = []

    def open_rapidocr(*_: object, threads: int, **__: object) -> Any:
        opened.append(threads)
        return object()

    monkeypatch.setattr("workers.detectors.text.open_rapidocr", open_rapidocr)
    detector: Any = open_detector("ppocr-text", Settings(**given), side_by_side=True)
    assert (detector.model.calls_at_once, len(opened)) == (1, 1)
    with computing.call(), detector._free() as network:
        assert network is detector._alone

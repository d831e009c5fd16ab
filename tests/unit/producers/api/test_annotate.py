from __future__ import annotations

from datetime import UTC, datetime

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from producers.api.drawing.annotate import annotate, cut
from sightline.errors import BadImageError
from sightline.types import Detection, FrameRef, FrameResult, Reading, Xyxy

GRAY = 90


def picture(width: int = 640, height: int = 360) -> bytes:
    return cv2.imencode(".png", np.full((height, width, 3), GRAY, np.uint8))[1].tobytes()


def result(*boxes: Xyxy, text: str | None = None) -> FrameResult:
    detections = tuple(Detection(xyxy=box, label="car", class_id=0, confidence=0.8) for box in boxes)
    readings = (Reading(text=text, confidence=0.97, detection_index=0),) if text else ()
    frame = FrameRef(frame_id="frame-0001", source_id="gate", captured_at=datetime(2026, 1, 1, tzinfo=UTC))
    return FrameResult(frame=frame, detections=detections, readings=readings)


def pixels(jpeg: bytes) -> npt.NDArray[np.int16]:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).astype(np.int16)


def touched(image: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
    return (abs(image - GRAY) > 25).any(axis=2)


def test_a_box_is_drawn_where_it_is_and_its_label_above() -> None:
    drawn = touched(pixels(annotate(picture(), result((200, 150, 400, 250)))))
    assert drawn[150, 210:390].all()
    assert drawn[160:240, 400].all()
    assert not drawn[170:230, 220:380].any()  # what is in the box can be seen
    assert drawn[128:148, 205:260].any()
    assert not drawn[300:, :].any()


def test_what_was_read_is_green_and_what_was_only_found_is_not() -> None:
    read = pixels(annotate(picture(), result((200, 150, 400, 250), text="KAB 4721")))[200, 400]
    found = pixels(annotate(picture(), result((200, 150, 400, 250))))[200, 400]
    assert read[1] > read[2]
    assert found[2] > found[1]


@pytest.mark.parametrize(
    "box", [(0, 0, 30, 10), (600, 0, 640, 20), (-50, -50, 5000, 5000), (630, 350, 640, 360), (1e9, 1e9, 2e9, 2e9)]
)
def test_boxes_at_and_beyond_the_border_do_no_harm(box: Xyxy) -> None:
    assert pixels(annotate(picture(), result(box, text="A" * 80))).shape == (360, 640, 3)


def test_a_large_picture_comes_back_small_with_the_box_in_its_place() -> None:
    image = pixels(annotate(picture(2560, 1440), result((800, 600, 1600, 1000)), max_width_px=640))
    assert image.shape == (360, 640, 3)
    assert touched(image)[150, 210:390].all()


def test_texts_of_any_script_are_drawn_somehow() -> None:
    assert annotate(picture(), result((200, 150, 400, 250), text="粤B·12345 ÄÖ"))


def test_a_crop_has_a_margin_and_stays_inside() -> None:
    assert pixels(cut(picture(), (100, 100, 200, 140))).shape[:2] == pytest.approx((60, 120), abs=2)
    assert pixels(cut(picture(), (0, 0, 50, 40))).shape[:2] == pytest.approx((50, 60), abs=2)
    with pytest.raises(BadImageError, match="outside"):
        cut(picture(), (700, 400, 800, 500))


def test_a_damaged_picture_is_an_error_that_says_so() -> None:
    with pytest.raises(BadImageError):
        annotate(picture()[:200], result())
    with pytest.raises(BadImageError):
        cut(b"no picture", (0, 0, 10, 10))

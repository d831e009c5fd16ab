"""The picture of an explanation: the frame, a line, and a row for each box."""

from __future__ import annotations

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from producers.api.drawing.explanation import draw
from sightline.errors import BadImageError
from sightline.types import Detection, FrameRef, FrameResult, Reading
from storage.results.explanations import PassageRef, explain

FRAME = FrameRef(frame_id="frame-0001", source_id="gate", captured_at=datetime(2026, 1, 1, tzinfo=UTC))


def picture(width: int = 640, height: int = 360) -> bytes:
    return cv2.imencode(".jpg", np.full((height, width, 3), 90, np.uint8))[1].tobytes()


def drawn(count: int, text: str = "KAB 4721", xyxy: tuple[float, float, float, float] = (100, 100, 200, 130)):
    detections = tuple(Detection(xyxy=xyxy, label="plate", class_id=0, confidence=0.9) for _ in range(count))
    readings = (Reading(text=text, confidence=0.9, detection_index=0),) if count else ()
    result = FrameResult(frame=FRAME, width=640, height=360, detections=detections, readings=readings)
    explanation = explain(result, {0: PassageRef("p", "KAB4721", 0.9, 1)} if text == "KAB 4721" else {})
    image = cv2.imdecode(np.frombuffer(draw(picture(), explanation), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


@pytest.mark.parametrize(("boxes", "rows"), [(0, 0), (1, 1), (3, 3), (60, 40)])
def test_one_row_a_box_up_to_what_anybody_reads(boxes: int, rows: int) -> None:
    assert drawn(boxes).shape == (720 + 40 + 64 * rows, 1280, 3)


def test_the_chosen_box_is_green_the_lost_one_orange() -> None:
    for text, strong in (("KAB 4721", 1), ("TAXI", 2)):
        image = drawn(1, text)
        assert np.argmax(image[720 + 40 + 32, 2]) == strong  # the stripe of its row
        assert np.argmax(image[200 + 30, 200]) == strong  # its left side, twice as large as in the frame


def test_signs_that_cannot_be_drawn_and_boxes_outside_do_no_harm() -> None:
    assert drawn(1, "京A·12345").shape == drawn(1, "?A?12345").shape
    assert drawn(1, "TAXI", (-50, 350, 900, 400)).shape[1] == 1280
    assert drawn(1, "TAXI", (700, 400, 800, 420)).shape[1] == 1280


def test_a_damaged_picture_is_refused() -> None:
    with pytest.raises(BadImageError):
        draw(b"no picture", explain(FrameResult(frame=FRAME), {}))

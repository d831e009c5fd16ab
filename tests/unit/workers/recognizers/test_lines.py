"""Lines of text in a crop of a plate: which belong together."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.types import Detection, Reading
from sightline.wire.models import LoadedModel
from workers.pixels.images import BgrImage
from workers.recognizers.ctc import decode
from workers.recognizers.lines import Line, LineReader, arranged, probabilities_of

pytestmark = pytest.mark.unit


def line(text: str, x: float, y: float, height: float = 40) -> Line:
    return Line(probabilities_of(Reading(text=text, confidence=0.9)), (x, y), height)


def texts(*lines: Line) -> list[str]:
    return [decode(said).text for said in arranged(lines)]


class Boxes:
    """Finds a name above a plate."""

    model = LoadedModel(name="boxes", sha256="", runtime="stub")

    def detect(self, images: list[BgrImage]) -> list[list[Detection]]:
        boxes = [(60.0, 10.0, 140.0, 30.0), (20.0, 50.0, 180.0, 140.0)]
        found = [Detection(xyxy=box, label="text", class_id=0, confidence=0.9) for box in boxes]
        return [found for _ in images]


class Widths:
    """Reads each crop as its width."""

    model = LoadedModel(name="widths", sha256="", runtime="stub")

    def recognize(self, crops: list[BgrImage]) -> list[Reading]:
        return [Reading(text=f"W{crop.shape[1]}", confidence=0.9) for crop in crops]


def test_names_and_slogans_are_not_read() -> None:
    reader = LineReader(Boxes(), Widths())  # pyright: ignore[reportArgumentType]
    both = reader.read([np.zeros((192, 300, 3), np.uint8)] * 2)
    assert [[decode(said).text for said in each] for each in both] == [["W160"], ["W160"]]


def test_without_a_detector_a_crop_is_a_line() -> None:
    ((said,),) = LineReader(None, Widths()).read([np.zeros((20, 90, 3), np.uint8)])
    assert decode(said).text == "W90"


def test_two_rows_are_read_one_after_the_other() -> None:
    assert texts(line("3456", 100, 90), line("AB12", 90, 40)) == ["3456", "AB12", "AB123456"]


def test_parts_of_a_row_are_read_from_left_to_right() -> None:
    assert texts(line("3456", 200, 42), line("AB12", 90, 40)) == ["3456", "AB12", "AB123456"]


def test_what_says_nothing_is_left_out() -> None:
    assert texts(line("", 10, 10), line("AB12", 90, 40)) == ["AB12"]
    assert arranged([]) == []


def test_a_reading_without_steps_becomes_steps() -> None:
    reading = Reading(text="a-B1", confidence=0.5, char_confidences=(0.9, 0.8, 0.7, 0.6))
    decoded = decode(probabilities_of(reading))
    assert decoded.text == "AB1"
    assert decoded.confidences == pytest.approx((0.9, 0.7, 0.6))

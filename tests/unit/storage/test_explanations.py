"""Every verdict on a box, and the frame in one sentence."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sightline.types import Detection, FrameError, FrameRef, FrameResult, Reading, Xyxy
from storage.plates.text import read_plate
from storage.results.explanations import Explanation, PassageRef, Verdict, explain

FRAME = FrameRef(frame_id="frame-00001", source_id="gate", captured_at=datetime(2026, 1, 1, tzinfo=UTC))
BOX, FAR = (100.0, 50.0, 200.0, 80.0), (300.0, 200.0, 400.0, 230.0)


def result(*found: tuple[Xyxy, str, float], box_confidence: float = 0.9) -> FrameResult:
    return FrameResult(
        frame=FRAME,
        width=640,
        height=480,
        detections=tuple(
            Detection(xyxy=xyxy, label="plate", class_id=0, confidence=box_confidence) for xyxy, _, _ in found
        ),
        readings=tuple(
            Reading(text=text, confidence=confidence, detection_index=index)
            for index, (_, text, confidence) in enumerate(found)
            if text
        ),
    )


def alone(of: FrameResult) -> Explanation:
    """With a passage for each reading that is sure enough and looks like a plate."""
    seats = {
        index: PassageRef(f"p{index}", plate.text, reading.confidence, 1)
        for index, reading in enumerate(of.readings)
        if reading.confidence >= 0.5 and (plate := read_plate(reading.text, reading.confidence))
    }
    return explain(of, seats, min_confidence=0.25, min_reading_confidence=0.5)


def verdicts(explanation: Explanation) -> list[Verdict]:
    return [one.verdict for one in explanation.candidates]


def test_the_surest_plate_is_chosen() -> None:
    found = alone(result((BOX, "AB-12", 0.8), (FAR, "XY 99", 0.9)))
    assert verdicts(found) == [Verdict.PLATE, Verdict.CHOSEN]
    assert (found.plate, found.why) == ("XY99", "plate XY99, from box 1")
    assert found.chosen is not None
    assert found.chosen.why == "a plate, read with 0.90; the surest of 2 plates"


@pytest.mark.parametrize(
    ("text", "confidence", "box", "verdict", "why"),
    [
        ("", 0.0, BOX, Verdict.UNREAD, "nothing was read"),
        ("", 0.0, (100, 50, 140, 60), Verdict.TOO_SMALL, "10 px high, nothing was read"),
        ("AB12", 0.4, BOX, Verdict.LOW_CONFIDENCE, "reading 0.40, below 0.5"),
        ("TAXI", 0.9, BOX, Verdict.NOT_A_PLATE, "no digit, and read with 0.90"),
        ("A1", 0.9, BOX, Verdict.NOT_A_PLATE, "2 of A-Z and 0-9, plates have 3 to 10"),
        ("ABCDE12345", 0.9, BOX, Verdict.NOT_A_PLATE, "10 of A-Z and 0-9, and no country writes them so"),
        ("12:30:15", 0.9, BOX, Verdict.NOT_A_PLATE, "a clock or a date"),
    ],
)
def test_where_a_box_is_lost(text: str, confidence: float, box: Xyxy, verdict: Verdict, why: str) -> None:
    found = alone(result((box, text, confidence)))
    assert (found.candidates[0].verdict, found.candidates[0].why) == (verdict, why)
    assert found.plate is None
    assert found.why == f"no plate: box 0 {verdict.replace('_', ' ')}"


@pytest.mark.parametrize(
    ("label", "corners", "is_line"),
    [
        ("text", None, True),
        ("text", ((100, 50), (400, 150), (393, 171), (93, 71)), True),  # tilted
        ("text", ((100, 50), (130, 50), (130, 80), (100, 80)), False),  # as long as high: one sign may be none
        ("plate", None, False),
    ],
)
def test_a_line_of_text_without_a_reading_may_be_of_another_script(
    label: str, corners: tuple[tuple[float, float], ...] | None, is_line: bool
) -> None:
    one = result((BOX, "", 0.0))
    box = one.detections[0].model_copy(update={"label": label, "corners": corners})
    candidate = alone(one.model_copy(update={"detections": (box,)})).candidates[0]
    assert candidate.verdict is Verdict.UNREAD
    assert ("its script is none that the model reads" in candidate.why) == is_line


def test_a_weak_box_is_not_read_whatever_it_says() -> None:
    found = alone(result((BOX, "AB12CD", 0.99), box_confidence=0.2))
    assert verdicts(found) == [Verdict.WEAK_BOX]
    assert found.candidates[0].why == "detector 0.20, below 0.25"


def test_a_plate_in_two_boxes_is_split() -> None:
    left, right = (100.0, 50.0, 140.0, 80.0), (150.0, 52.0, 200.0, 80.0)
    found = alone(result((right, "4-W", 0.9), (left, "VW1", 0.9), (FAR, "A1", 0.9)))
    assert verdicts(found) == [Verdict.SPLIT, Verdict.SPLIT, Verdict.NOT_A_PLATE]
    assert found.candidates[1].why.endswith("with '4-W' beside it this would be VW14W")
    under = (100.0, 85.0, 140.0, 115.0)
    assert verdicts(alone(result((left, "VW1", 0.9), (under, "4-W", 0.9)))) == [Verdict.NOT_A_PLATE] * 2


def test_a_reading_that_its_passage_outvotes() -> None:
    of = result((BOX, "A812CD", 0.9))
    found = explain(of, {0: PassageRef("passage-1", "AB12CD", 0.95, 7)})
    assert verdicts(found) == [Verdict.VOTED_OUT]
    assert found.candidates[0].why == "7 readings of this passage voted AB12CD"
    assert (found.plate, found.why) == ("AB12CD", "plate AB12CD, from box 0")


def test_a_stored_frame_tells_that_unsure_readings_are_not_kept() -> None:
    found = explain(result((BOX, "", 0.0)), {})
    assert found.candidates[0].why == "nothing was read surely enough to be stored"


def test_nothing_found_dead_and_dropped() -> None:
    assert alone(result()).why == "no plate: the detector found nothing"
    error = FrameError(reason="bad_image", message="no JPEG", stage="detect")
    assert explain(FrameResult(frame=FRAME, error=error), {}).why == "dead, bad_image in stage detect: no JPEG"
    assert explain(FrameResult(frame=FRAME, dropped="stale"), {}).why == "dropped by the rule 'stale'"


def test_a_tilted_box_is_as_high_as_its_text() -> None:
    corners = ((0.0, 30.0), (40.0, 0.0), (46.0, 8.0), (6.0, 38.0))
    detection = Detection(xyxy=(0, 0, 46, 38), label="text", class_id=0, confidence=0.9, corners=corners)
    found = explain(FrameResult(frame=FRAME, width=99, height=99, detections=(detection,)), {})
    assert found.candidates[0].height_px == pytest.approx(10)


def test_of_a_box_that_nobody_is_sure_of_both_sides_are_told() -> None:
    found = result((BOX, "P85681CC", 0.65), (FAR, "", 0), box_confidence=0.56)
    explanation = explain(found, {}, min_confidence=0.25, min_reading_confidence=0.5, doubtful={0, 1})
    assert verdicts(explanation) == [Verdict.LOW_CONFIDENCE, Verdict.UNREAD]
    assert explanation.candidates[0].why == (
        "detector 0.56, and the least sure character has 0.65: on a photo one of the two has to be sure"
    )
    assert explanation.candidates[1].why == (
        "detector 0.56, and nothing was read: on a photo one of the two has to be sure"
    )
    assert explanation.plate is None

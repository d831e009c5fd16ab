"""Boxes on photos of which neither the detector nor the reader is sure."""

from __future__ import annotations

import pytest

from sightline.testing import make_frame_refs
from sightline.types import Detection, FrameResult, Reading
from workers.recognizers.doubt import doubtful_ones, without_doubtful

pytestmark = pytest.mark.unit


def photo(*found: tuple[float, tuple[float, ...] | None], sequence: str | None = None) -> FrameResult:
    """Boxes with their confidences, and those of the characters that were read in each."""
    (frame,) = make_frame_refs(1)
    return FrameResult(
        frame=frame.model_copy(update={"sequence": sequence}),
        width=900,
        height=100,
        detections=tuple(
            Detection(xyxy=(100 * at, 0, 100 * at + 80, 20), label="plate", class_id=0, confidence=box)
            for at, (box, _) in enumerate(found)
        ),
        readings=tuple(
            Reading(text="A" * len(sure), confidence=sum(sure) / len(sure), char_confidences=sure, detection_index=at)
            for at, (_, sure) in enumerate(found)
            if sure
        ),
    )


def test_one_of_the_two_has_to_be_sure() -> None:
    result = photo((0.56, (0.99, 0.65, 0.98)), (0.56, (0.99, 0.9)), (0.62, (0.4, 0.5)), (0.62, None), (0.45, None))
    assert doubtful_ones(result, 0.6) == {0, 4}
    left = without_doubtful(result, 0.6)
    assert [box.confidence for box in left.detections] == [0.56, 0.62, 0.62]
    assert [(one.text, one.detection_index) for one in left.readings] == [("AA", 0), ("AA", 1)]


def test_a_text_with_the_form_of_a_plate_may_be_less_sure() -> None:
    result = photo((0.5, (0.9, 0.6)), (0.5, (0.9, 0.4)))
    known = tuple(one.model_copy(update={"country": "sk"}) for one in result.readings)
    assert doubtful_ones(result.model_copy(update={"readings": known}), 0.6) == {1}


def test_where_nothing_is_in_doubt_the_result_is_as_it_was() -> None:
    result = photo((0.9, (0.4,)), (0.5, (0.95, 0.9)))
    assert without_doubtful(result, 0.6) is result


@pytest.mark.parametrize(("sequence", "sure_box"), [("live", 0.6), (None, None)])
def test_films_vote_and_other_detectors_have_other_confidences(sequence: str | None, sure_box: float | None) -> None:
    result = photo((0.45, None), (0.5, (0.5, 0.5)), sequence=sequence)
    assert without_doubtful(result, sure_box) is result


def test_a_reader_that_tells_nothing_of_characters_is_as_sure_as_it_is_of_all() -> None:
    result = photo((0.5, (0.9,)), (0.5, (0.6,)))
    plain = tuple(one.model_copy(update={"char_confidences": ()}) for one in result.readings)
    assert doubtful_ones(result.model_copy(update={"readings": plain}), 0.6) == {1}

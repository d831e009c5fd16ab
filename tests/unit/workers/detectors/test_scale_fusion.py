"""Looks at one picture: what all see is surer than what one sees, and the surest look counts most."""

from __future__ import annotations

import pytest

from sightline.types import Detection, Xyxy
from workers.detectors.scale_fusion import agree, large_ones, overlap


def box(left: float, confidence: float, *, class_id: int = 0) -> Detection:
    return Detection(xyxy=(left, 0, left + 100, 20), label="plate", class_id=class_id, confidence=confidence)


def test_what_both_see_is_one_box_and_surer_than_what_one_sees() -> None:
    both, alone = agree([[box(500, 0.9), box(0, 0.8)], [box(8, 0.4)]], 0.1)
    assert both.xyxy == (0, 0, 100, 20), "where the first look has it"
    assert both.confidence == pytest.approx(0.6 * 0.8 + 0.4 * 0.4)
    assert (alone.xyxy[0], alone.confidence) == (500, pytest.approx(0.54))


def test_the_limit_is_for_both_together() -> None:
    assert [one.xyxy[0] for one in agree([[box(0, 0.8), box(500, 0.6)], [box(0, 0.1)]], 0.4)] == [0]


def test_a_box_meets_the_nearest_and_no_other_one_of_its_own_look() -> None:
    first, second = [box(0, 0.9), box(20, 0.8)], [box(18, 0.9), box(2, 0.7)]
    found = agree([first, second], 0)
    assert [(one.xyxy[0], round(one.confidence, 2)) for one in found] == [(20, 0.86), (0, 0.82)]
    assert len(agree([[box(0, 0.9)], [box(0, 0.9, class_id=1)]], 0)) == 2, "of another class"
    assert len(agree([[box(0, 0.9)], [box(60, 0.9)]], 0)) == 2, "too far away"


@pytest.mark.parametrize(("part", "count"), [((20, 0, 60, 20), 1), ((0, 0, 10, 20), 2), ((70, 0, 110, 20), 2)])
def test_a_piece_of_a_plate_is_that_plate_unless_it_is_tiny_or_sticks_out(part: Xyxy, count: int) -> None:
    piece = Detection(xyxy=part, label="plate", class_id=0, confidence=0.5)
    assert len(agree([[piece], [box(0, 0.9)]], 0)) == count


def test_one_look_counts_as_it_is() -> None:
    assert agree([[box(0, 0.5)]], 0.5)[0].confidence == 0.5


def test_a_look_of_its_own_is_believed_about_what_fills_the_picture() -> None:
    found = [box(0, 0.8), box(0, 0.4)]
    assert large_ones(found, 320) == [found[0]]
    assert large_ones(found, 500) == []


@pytest.mark.parametrize(
    ("other", "expected"),
    [((0, 0, 10, 10), 1.0), ((5, 0, 15, 10), 1 / 3), ((10, 0, 20, 10), 0.0), ((20, 20, 30, 30), 0.0)],
)
def test_overlap(other: Xyxy, expected: float) -> None:
    assert overlap((0, 0, 10, 10), other) == pytest.approx(expected)

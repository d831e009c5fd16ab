"""Boxes, spots and directions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.types import Xyxy
from storage.places import Direction, direction, distance, is_same_box, is_still, is_within_reach, spot_of

coordinates = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.tuples(coordinates, coordinates, coordinates, coordinates))
def test_every_box_has_a_spot_that_a_database_takes_or_none(box: Xyxy) -> None:
    spot = spot_of(box)
    assert (spot is None) == (box[2] <= box[0])
    if spot is not None:
        assert 0 <= spot < 2**63
        assert is_still(spot, spot)
        assert distance(spot, spot) == 0


@pytest.mark.parametrize(
    ("box", "still"),
    [
        ((102.0, 401.0, 203.0, 426.0), True),
        ((115.0, 400.0, 215.0, 425.0), True),
        ((170.0, 400.0, 270.0, 425.0), False),
        ((100.0, 480.0, 200.0, 505.0), False),
        ((50.0, 390.0, 250.0, 440.0), False),  # twice as large
    ],
)
def test_what_stands_still(box: Xyxy, still: bool) -> None:
    one, other = spot_of((100, 400, 200, 425)), spot_of(box)
    assert one is not None
    assert other is not None
    assert is_still(one, other) is is_still(other, one) is still


def test_how_far_a_vehicle_gets() -> None:
    here, there = spot_of((0, 0, 100, 25)), spot_of((1000, 0, 1100, 25))
    assert not is_within_reach(here, there, 0.1)
    assert is_within_reach(here, there, 1)
    assert is_within_reach(here, None, 0)


def test_boxes_of_one_frame() -> None:
    box = (0.0, 0.0, 100.0, 25.0)
    assert is_same_box(box, (10.0, 0.0, 110.0, 25.0))
    assert is_same_box(box, (20.0, 5.0, 60.0, 20.0))  # inside
    assert not is_same_box(box, (60.0, 0.0, 160.0, 25.0))
    assert is_same_box(box, None)


def test_boxes_without_an_inside_have_no_direction() -> None:
    assert direction((5, 5, 5, 5), (0, 0, 10, 10)) is Direction.UNKNOWN
    assert direction((0, 5, 10, 5), (90, 5, 100, 5)) is Direction.RIGHT

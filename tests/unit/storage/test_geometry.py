"""Boxes, spots, motion and directions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.types import Xyxy
from storage.plates.geometry import Direction, cut_sides, direction, is_same_box, is_still, motion_evidence, spot_of
from tests.unit.sightings import HERE, moved

coordinates = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.tuples(coordinates, coordinates, coordinates, coordinates))
def test_every_box_has_a_spot_that_a_database_takes_or_none(box: Xyxy) -> None:
    spot = spot_of(box)
    assert (spot is None) == (box[2] <= box[0])
    if spot is not None:
        assert 0 <= spot < 2**63
        assert is_still(spot, spot)


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


def evidence(
    box: Xyxy, elapsed_s: float, *, before: Xyxy | None = None, step_s: float = 0.2, is_cut: bool = False
) -> float:
    """Of a plate that was at HERE, and `step_s` earlier at `before`, being at `box` now."""
    here, there = spot_of(HERE), spot_of(box)
    assert here is not None
    assert there is not None
    return motion_evidence(
        there, here, elapsed_s, before=spot_of(before), step_s=step_s if before else 0.0, is_cut=is_cut
    )


def test_near_speaks_for_one_vehicle_and_far_for_two() -> None:
    assert evidence(moved(HERE, 50), 0.2) > 2
    assert evidence(moved(HERE, 800), 0.2) < -2


def test_the_farther_the_less() -> None:
    found = [evidence(moved(HERE, x), 0.2) for x in (0, 100, 200, 400, 800)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)


def test_with_time_everything_becomes_possible_and_nothing_is_said() -> None:
    far = [evidence(moved(HERE, 800), elapsed_s) for elapsed_s in (0.2, 1, 3, 10, 60)]
    assert far == sorted(far)
    assert far[0] < -2
    assert evidence(HERE, 60) == pytest.approx(0, abs=0.1)
    assert far[-1] == pytest.approx(0, abs=0.1)


def test_another_size_speaks_for_another_vehicle() -> None:
    assert evidence(moved(HERE, 0, growth=3), 0.2) < evidence(HERE, 0.2) - 2


def test_who_went_on_is_expected_where_he_goes() -> None:
    on_course, off_course = moved(HERE, 200), moved(HERE, -200)
    before = moved(HERE, -200)
    assert evidence(on_course, 0.2, before=before) > evidence(on_course, 0.2) + 1
    assert evidence(on_course, 0.2, before=before) > evidence(off_course, 0.2, before=before) + 2


def test_who_is_hidden_goes_on_as_he_went_for_three_seconds() -> None:
    """A truck is before the car: 500 pixels a second, where it comes out and where it went in."""
    before = moved(HERE, -100)
    after_two = evidence(moved(HERE, 1000), 2, before=before)
    assert after_two > evidence(HERE, 2, before=before) + 2
    after_ten = [evidence(moved(HERE, x), 10, before=before) for x in (1500, 5000)]
    assert after_ten[0] >= after_ten[1], "after that it is where it was after three seconds"


def test_no_other_vehicle_is_at_the_same_place_a_moment_later() -> None:
    assert evidence(HERE, 0.5) - evidence(HERE, 0.6) > 1.5


def test_where_the_edge_cuts_a_plate_size_says_nothing_and_place_little() -> None:
    part = (135.0, 400.0, 165.0, 425.0)  # in the middle of HERE
    assert evidence(part, 0.6) < evidence(HERE, 0.6) - 1
    assert evidence(part, 0.6, is_cut=True) == pytest.approx(evidence(HERE, 0.6, is_cut=True), abs=0.5)
    assert evidence(HERE, 0.6, is_cut=True) < evidence(HERE, 0.6) - 1


@given(st.tuples(coordinates, coordinates, coordinates, coordinates), st.floats(0, 1e6), st.booleans())
def test_motion_alone_decides_nothing_for_ever(box: Xyxy, elapsed_s: float, is_cut: bool) -> None:
    there = spot_of(box)
    if there is not None:
        assert abs(evidence(box, elapsed_s, is_cut=is_cut)) <= 6


def test_boxes_of_one_frame() -> None:
    box = (0.0, 0.0, 100.0, 25.0)
    assert is_same_box(box, (10.0, 0.0, 110.0, 25.0))
    assert is_same_box(box, (20.0, 5.0, 60.0, 20.0))  # inside
    assert not is_same_box(box, (60.0, 0.0, 160.0, 25.0))
    assert is_same_box(box, None)


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ((400.0, 300.0, 500.0, 325.0), (False, False, False)),
        ((0.0, 300.0, 80.0, 325.0), (True, False, False)),
        ((3.0, 300.0, 80.0, 325.0), (True, False, False)),  # detectors do not go to the last pixel
        ((1220.0, 300.0, 1280.0, 325.0), (False, True, False)),
        ((400.0, 0.0, 500.0, 15.0), (False, False, True)),
        ((400.0, 705.0, 500.0, 720.0), (False, False, True)),
        ((0.0, 705.0, 80.0, 720.0), (True, False, True)),
        ((0.0, 300.0, 1280.0, 600.0), (False, False, False)),  # the picture of a plate
        ((0.0, 0.0, 1280.0, 720.0), (False, False, False)),
    ],
)
def test_which_end_of_a_plate_the_edge_cuts_off(box: Xyxy, cut: tuple[bool, bool, bool]) -> None:
    assert cut_sides(box, 1280, 720) == cut


def test_boxes_without_an_inside_have_no_direction() -> None:
    assert direction((5, 5, 5, 5), (0, 0, 10, 10)) is Direction.UNKNOWN
    assert direction((0, 5, 10, 5), (90, 5, 100, 5)) is Direction.RIGHT

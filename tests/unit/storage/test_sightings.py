"""What passages need of a reading, and what the edge of the picture does to it."""

from __future__ import annotations

import pytest

from sightline.types import Xyxy
from storage.plates.sightings import CUT_WEIGHT, HOPELESS, SEEMS_WHOLE
from tests.unit.sightings import HERE, moved, sighting

LEFT_END: Xyxy = (0.0, 300.0, 90.0, 325.0)
RIGHT_END: Xyxy = (1190.0, 300.0, 1280.0, 325.0)
BOTTOM: Xyxy = (400.0, 700.0, 500.0, 720.0)


def test_in_the_middle_of_the_picture_every_character_counts() -> None:
    one = sighting("AB12CD", HERE, sure=0.9)
    assert (one.weights, one.is_cut, one.may_found) == ((900,) * 6, False, True)


def test_a_character_at_the_edge_of_which_a_part_may_be_outside_weighs_little() -> None:
    left, right = sighting("AB12CD", LEFT_END), sighting("AB12CD", RIGHT_END)
    assert left.weights == (CUT_WEIGHT, *[990] * 5)
    assert right.weights == (*[990] * 5, CUT_WEIGHT)
    assert left.is_cut
    assert right.is_cut


def test_where_top_or_bottom_is_cut_off_no_character_is_sure() -> None:
    flat = sighting("AB12CD", BOTTOM)
    assert (flat.weights, flat.is_cut, flat.may_found) == ((CUT_WEIGHT,) * 6, True, False)


def test_a_hopeless_character_is_not_made_better_by_the_edge() -> None:
    assert sighting("AB12CD", LEFT_END, sure=[0.1, *[0.99] * 5]).weights[0] == 100


def test_only_what_seems_to_be_whole_tells_of_a_vehicle_at_the_edge() -> None:
    surely, hardly = SEEMS_WHOLE / 1000, SEEMS_WHOLE / 1000 - 0.001
    assert sighting("AB12CD", LEFT_END, sure=surely).may_found
    assert not sighting("AB12CD", LEFT_END, sure=[*[0.99] * 5, hardly]).may_found
    assert sighting("AB12CD", HERE, sure=hardly).may_found, "inside of the picture less is enough"


def test_a_hopeless_reading_of_a_film_tells_of_no_vehicle_and_that_of_a_photo_does() -> None:
    least = HOPELESS / 1000
    assert sighting("AB12CD", HERE, sure=least).may_found
    hopeless = [*[0.99] * 5, least - 0.001]
    assert not sighting("AB12CD", HERE, sure=hopeless).may_found
    assert sighting("AB12CD", HERE, sure=hopeless, sequence=None).may_found, "no better one comes"


@pytest.mark.parametrize("box", [LEFT_END, RIGHT_END, BOTTOM])
def test_a_photo_is_all_there_is_so_its_edge_does_not_matter(box: Xyxy) -> None:
    one = sighting("AB12CD", box, sure=0.7, sequence=None)
    assert (one.weights, one.is_cut, one.may_found) == ((700,) * 6, False, True)


def test_without_a_box_nothing_is_cut() -> None:
    one = sighting("AB12CD", None, sure=0.7)
    assert (one.weights, one.is_cut, one.may_found, one.spot) == ((700,) * 6, False, True, None)


def test_a_sure_large_and_sharp_crop_is_better_to_look_at() -> None:
    good = sighting("AB12CD", HERE, sharpness=800)
    worse = [
        sighting("AB12CD", HERE, sharpness=800, sure=0.5),
        sighting("AB12CD", moved(HERE, 0, growth=0.5), sharpness=800),
        sighting("AB12CD", HERE, sharpness=20),
    ]
    assert all(one.score < good.score for one in worse)
    assert sighting("AB12CD", None).score == sighting("AB12CD", moved(HERE, 0, growth=2)).score == 990

"""What a passage says: sums, minima and maxima over its readings."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from storage.passages.summary import Tally, sum_tallies
from storage.plates.geometry import Direction
from storage.plates.sightings import Sighting
from storage.plates.votes import Origin
from tests.unit.sightings import HERE, NOON, THERE, moved, photo, sighting

TEXTS = ["AB12CD", "AB12CO", "AB13CE", "AB12CDE", "XY99Z"]
sightings = st.builds(
    lambda text, at_s, sure, x: sighting(text, moved(HERE, x), at_s=at_s, sure=sure),
    st.sampled_from(TEXTS),
    st.integers(0, 60),
    st.floats(0, 1),
    st.integers(0, 900),
)


def tally(*each: Sighting) -> Tally:
    return sum_tallies([Tally.of(one) for one in each])


@given(
    st.lists(sightings, min_size=1, max_size=12, unique_by=lambda one: one.key).flatmap(
        lambda each: st.tuples(st.just(each), st.permutations(each))
    ),
    st.integers(1, 12),
)
def test_neither_order_nor_division_matters(pair: tuple[list[Sighting], list[Sighting]], cut: int) -> None:
    one, other = pair
    parts = [part for part in (other[:cut], other[cut:]) if part]
    divided = sum_tallies([tally(*part) for part in parts])
    assert divided == tally(*one)
    assert divided.verdict == tally(*one).verdict
    assert divided.direction == tally(*one).direction


def test_first_and_last_sight_and_number() -> None:
    total = tally(*[sighting("AB12CD", at_s=at_s) for at_s in (5, 1, 9)])
    seconds = [(at - NOON).total_seconds() for at in (total.first_seen, total.last_seen)]
    assert (seconds, total.reading_count) == ([1, 9], 3)


def test_the_surest_of_equal_crops_is_the_best_and_of_equals_the_first() -> None:
    total = tally(
        sighting("AB12CD", at_s=5, frame="second"),
        sighting("AB12CD", at_s=3, frame="first"),
        sighting("AB12CD", at_s=1, sure=0.5),
    )
    assert total.best.frame_id == "first"


def test_direction_is_from_the_first_box_to_the_last() -> None:
    there_and_back = [sighting("AB12CD", box, at_s=at_s) for at_s, box in enumerate((HERE, THERE, moved(HERE, 300)))]
    assert tally(*there_and_back).direction is Direction.RIGHT
    assert tally(*there_and_back[1:]).direction is Direction.LEFT
    assert tally(sighting("AB12CD"), *there_and_back[:1]).direction is Direction.UNKNOWN
    assert tally(sighting("AB12CD")).path is None


def test_a_film_may_be_composed_and_photos_may_not() -> None:
    torn = ("12CDE", "AB1CDE", "AB12E", "AB12C")
    film = tally(*[sighting(text, at_s=at_s) for at_s, text in enumerate(torn)])
    photos = tally(*[photo(text, at_s=at_s) for at_s, text in enumerate(torn)])
    assert (film.text, film.origin) == ("AB12CDE", Origin.COMPOSED)
    assert photos.text in torn
    assert photos.origin is Origin.READ


def test_a_passage_is_of_the_sequence_of_its_pictures() -> None:
    assert tally(sighting("AB12CD"), sighting("AB12CD", at_s=1)).sequence == "live"
    assert tally(photo("AB12CD")).sequence is None


def test_what_was_read_most_is_the_plate() -> None:
    read = [sighting("AB12CD", at_s=at_s) for at_s in range(3)]
    assert tally(*read, sighting("AB12CE", at_s=4)).text == "AB12CD"
    assert tally(*read).last_seen - tally(*read).first_seen == timedelta(seconds=2)

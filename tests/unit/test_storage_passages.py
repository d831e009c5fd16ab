"""Which readings make a passage, and what it says. The reference here is single linkage, pair by pair."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from storage.linking import Point, find_stands, link

from storage.passages import Sighting, Tally, sum_tallies
from storage.places import spot_of
from storage.plates import fold, similar, weight
from storage.votes import MAX_TEXTS

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
GAP = timedelta(seconds=10)
TEXTS = ["AB12CD", "AB12CO", "AB12C0", "AB13CE", "AB12CDE", "XY99ZZZ", "XY99Z"]

points = st.lists(
    st.tuples(st.sampled_from(TEXTS), st.integers(0, 12).map(lambda fives: fives * 5)),
    max_size=14,
).map(
    lambda pairs: [
        Point(f"p{i}", text, NOON + timedelta(seconds=at_s), f"f{i}") for i, (text, at_s) in enumerate(pairs)
    ]
)


def sighting(text: str, *, at_s: float = 0, confidence: float = 0.9, chars: list[float] | None = None) -> Sighting:
    weights = tuple(weight(each) for each in chars or [confidence] * len(text))
    return Sighting("gate", NOON + timedelta(seconds=at_s), f"frame-{at_s}", 0, text, weights, confidence, None)


def tally(*sightings: Sighting) -> Tally:
    return sum_tallies([Tally.of(one) for one in sightings])


def linked(one: Point, other: Point) -> bool:
    return abs(one.seen_at - other.seen_at) <= GAP and similar(fold(one.text), fold(other.text))


def single_linkage(all_points: list[Point]) -> set[frozenset[str]]:
    groups = [{point.key} for point in all_points]
    for one, other in itertools.combinations(all_points, 2):
        if linked(one, other) or one.key == other.key:
            mine = next(group for group in groups if one.key in group)
            its = next(group for group in groups if other.key in group)
            if mine is not its:
                mine |= its
                groups.remove(its)
    return {frozenset(group) for group in groups}


@given(points)
def test_link_is_single_linkage(all_points: list[Point]) -> None:
    assert {frozenset(group) for group in link(all_points, GAP)} == single_linkage(all_points)


@given(points, st.integers(0, 14))
def test_points_of_earlier_passages_keep_together(all_points: list[Point], known: int) -> None:
    """Linking in two steps gives the groups of linking at once."""
    earlier = {key: f"passage-{number}" for number, group in enumerate(link(all_points[:known], GAP)) for key in group}
    second = [
        point._replace(key=earlier.get(point.key, point.key), is_new=point.key not in earlier) for point in all_points
    ]
    groups = link(second, GAP)
    as_points = {
        frozenset(point.key for point in all_points if earlier.get(point.key, point.key) in group) for group in groups
    }
    assert as_points == single_linkage(all_points)


def test_two_cars_at_the_same_time_stay_two() -> None:
    pair = [Point("a", "AB12CD", NOON, "f1"), Point("b", "XY99ZZ", NOON, "f2")]
    assert len(link(pair, GAP)) == 2


def test_the_gap_is_inclusive() -> None:
    first = Point("a", "AB12CD", NOON, "f1")
    assert len(link([first, Point("b", "AB12CD", NOON + GAP, "f2")], GAP)) == 1
    assert len(link([first, Point("b", "AB12CD", NOON + GAP + timedelta(microseconds=1), "f2")], GAP)) == 2


def test_a_reading_in_between_joins_two_passages() -> None:
    outer = [Point("a", "AB12CD", NOON, "f1"), Point("b", "AB12CD", NOON + timedelta(seconds=18), "f2")]
    assert len(link(outer, GAP)) == 2
    assert len(link([*outer, Point("c", "AB12C", NOON + timedelta(seconds=9), "f3")], GAP)) == 1


def test_characters_are_voted_by_confidence() -> None:
    sure = sighting("AB12CD", chars=[0.9] * 6)
    unsure = [sighting("AB17CD", at_s=at_s, chars=[0.9, 0.9, 0.9, 0.3, 0.9, 0.9]) for at_s in (1, 2)]
    assert tally(sure, *unsure).text == "AB12CD"
    assert tally(sure, *unsure, sighting("AB17CD", at_s=3, chars=[0.9, 0.9, 0.9, 0.4, 0.9, 0.9])).text == "AB17CD"


def test_a_bad_misread_at_the_same_place_a_moment_later_is_the_same_vehicle() -> None:
    here, elsewhere = spot_of((100, 100, 200, 120)), spot_of((400, 100, 500, 120))

    def read(second: str, *, after_s: float = 0.2, spot: int | None = here, frame_id: str = "f1") -> int:
        first = Point("a", "AB12CD", NOON, "f0", here)
        return len(link([first, Point("b", second, NOON + timedelta(seconds=after_s), frame_id, spot)], GAP))

    assert read("A812") == 1, "half of it was read"
    assert read("XY99ZZZ") == 2, "nothing in common"
    assert read("A812", after_s=0.6) == 2, "another one may have come"
    assert read("A812", spot=elsewhere) == 2
    assert read("A812", spot=None) == 2
    assert read("A812", after_s=0, frame_id="f0") == 2, "two in one picture"


def test_what_stood_still_is_linked_over_a_pause() -> None:
    spot = spot_of((100, 400, 200, 425))
    stood = [Point(name, "AB12CD", NOON + timedelta(seconds=at_s), name, spot) for name, at_s in (("a", 0), ("b", 2))]
    again = Point("c", "A812CD", NOON + timedelta(seconds=40), "c", spot_of((103, 402, 203, 427)))
    elsewhere = again._replace(
        key="d", frame_id="d", seen_at=NOON + timedelta(seconds=55), spot=spot_of((300, 400, 400, 425))
    )
    every = [*stood, again, elsewhere]
    groups = link(every, GAP, find_stands(every, GAP), timedelta(seconds=60))
    assert sorted(map(sorted, groups)) == [["a", "b", "c"], ["d"]]
    assert len(link(every, GAP, find_stands(every, GAP), timedelta(seconds=30))) == 3
    assert find_stands([stood[0], again], GAP) == []


def test_the_winning_length_decides_how_long_the_plate_is() -> None:
    full = [sighting("AB12CDE", at_s=at_s) for at_s in (0, 1)]
    cut = sighting("B12CDE", at_s=2, confidence=0.99)
    assert tally(*full, cut).text == "AB12CDE"
    assert tally(*full, cut).reading_count == 3


def test_a_reading_that_lost_a_character_votes_for_the_others() -> None:
    torn = [sighting("AB12CD", confidence=0.9), sighting("AB17CD", at_s=1, confidence=0.88)]
    assert tally(*torn).text == "AB12CD"
    assert tally(*torn, sighting("B17CD", at_s=2, confidence=0.5)).text == "AB17CD"


def test_a_plate_that_is_whole_in_no_reading_is_found() -> None:
    """Something is before another part of it each time."""
    torn = [
        sighting(text, at_s=at_s, confidence=0.99) for at_s, text in enumerate(("12CDE", "AB1CDE", "AB12E", "AB12C"))
    ]
    assert tally(*torn).text == "AB12CDE"
    assert tally(*torn).confidence == 0.99, "who did not see a character says nothing about it"


def test_one_too_many_is_left_out() -> None:
    read = [sighting(text, at_s=at_s) for at_s, text in enumerate(("AB12CD", "AB12CDI", "AB12CD", "IAB12CD"))]
    assert tally(*read).text == "AB12CD"


def test_the_surest_of_very_many_texts_are_kept() -> None:
    wrong = [sighting(f"QX{number}", at_s=number, confidence=0.3) for number in range(1000, 1100)]
    right = [sighting("AB12CD", at_s=200 + number) for number in range(3)]
    kept = tally(*wrong, *right)
    assert (len(kept.votes), kept.reading_count) == (MAX_TEXTS, 103)
    assert kept.votes["AB12CD"]["count"] == 3
    assert tally(*right, *wrong).votes == kept.votes


def test_of_equal_lengths_in_weight_the_longer_wins() -> None:
    assert tally(sighting("AB12C"), sighting("AB12CD", at_s=1)).text == "AB12CD"


def test_confidence_falls_with_disagreement() -> None:
    agreed = tally(sighting("AB12CD"), sighting("AB12CD", at_s=1))
    torn = tally(sighting("AB12CD"), sighting("AB12CE", at_s=1))
    assert agreed.confidence == 0.9
    assert torn.confidence < 0.9
    assert tally(sighting("AB12CD", confidence=1.0)).confidence == 1.0


def test_the_surest_of_equal_crops_is_the_best_and_of_equals_the_first() -> None:
    total = tally(sighting("AB12CD", at_s=5), sighting("AB12CD", at_s=3), sighting("AB12CD", at_s=1, confidence=0.5))
    assert total.best.frame_id == "frame-3"


@given(
    st.lists(st.tuples(st.sampled_from(TEXTS), st.integers(0, 60), st.floats(0, 1)), min_size=1, max_size=12).flatmap(
        lambda each: st.tuples(st.just(each), st.permutations(each))
    )
)
def test_a_tally_does_not_depend_on_order(
    pair: tuple[list[tuple[str, int, float]], list[tuple[str, int, float]]],
) -> None:
    one, other = (
        tally(*[sighting(text, at_s=at_s, confidence=confidence) for text, at_s, confidence in order]) for order in pair
    )
    assert one == other
    assert (one.text, one.confidence) == (other.text, other.confidence)

"""What many readings of one plate say together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.plates.text import weight
from storage.plates.votes import MAX_TEXTS, Origin, Verdict, Votes, add_votes, count_votes, vote, without

TEXTS = ["AB12CD", "AB12CO", "AB12C0", "AB13CE", "AB12CDE", "XY99ZZZ", "XY99Z"]
readings = st.builds(lambda text, sure: read(text, sure), st.sampled_from(TEXTS), st.floats(0, 1))


def read(text: str, sure: float | list[float] = 0.9) -> Votes:
    chars = sure if isinstance(sure, list) else [sure] * len(text)
    return vote(text, tuple(map(weight, chars)))


def verdict(*parts: Votes, may_compose: bool = True) -> Verdict:
    return count_votes(add_votes(*parts), may_compose=may_compose)


# Sums.


@given(
    st.lists(readings, min_size=1, max_size=12).flatmap(lambda all_: st.tuples(st.just(all_), st.permutations(all_)))
)
def test_order_does_not_matter(pair: tuple[list[Votes], list[Votes]]) -> None:
    one, other = pair
    assert add_votes(*one) == add_votes(*other)
    assert verdict(*one) == verdict(*other)


@given(st.lists(readings, min_size=1, max_size=12), st.integers(0, 12))
def test_division_does_not_matter(parts: list[Votes], cut: int) -> None:
    assert add_votes(add_votes(*parts[:cut]), add_votes(*parts[cut:])) == add_votes(*parts)


@given(st.lists(readings, min_size=1, max_size=8), st.lists(readings, max_size=8))
def test_without_takes_off_what_was_added(kept: list[Votes], gone: list[Votes]) -> None:
    left = without(add_votes(*kept, *gone), add_votes(*gone))
    assert {text: (its["count"], its["weights"]) for text, its in left.items()} == {
        text: (its["count"], its["weights"]) for text, its in add_votes(*kept).items()
    }


def test_without_leaves_what_was_forgotten_forgotten() -> None:
    assert without(read("AB12CD"), add_votes(read("AB12CD"), read("XY99ZZ"))) == {}


def test_the_surest_reading_of_a_text_is_known() -> None:
    total = add_votes(read("AB12CD", [0.99] * 5 + [0.7]), read("AB12CD", 0.8), read("AB12CE", 0.6))
    assert (total["AB12CD"].get("surest"), total["AB12CE"].get("surest")) == (800, 600)


def test_of_rows_from_before_the_surest_reading_is_as_sure_as_all_of_them() -> None:
    before: Votes = {"AB12CD": {"count": 2, "weights": [1960] * 6}}
    assert add_votes(before, read("AB12CD", 0.7))["AB12CD"].get("surest") == 980
    assert add_votes(before, read("XY99ZZ"))["AB12CD"].get("surest") == 980


def test_the_surest_of_very_many_texts_are_kept() -> None:
    wrong = [read(f"QX{number}", 0.3) for number in range(1000, 1100)]
    kept = add_votes(*wrong, *[read("AB12CD")] * 3)
    assert len(kept) == MAX_TEXTS
    assert kept["AB12CD"]["count"] == 3
    assert add_votes(*[read("AB12CD")] * 3, *wrong) == kept


# The verdict.


def test_characters_are_voted_by_confidence() -> None:
    sure, unsure = read("AB12CD"), read("AB17CD", [0.9, 0.9, 0.9, 0.3, 0.9, 0.9])
    assert verdict(sure, unsure, unsure).text == "AB12CD"
    assert verdict(sure, unsure, unsure, read("AB17CD")).text == "AB17CD"


def test_the_winning_length_decides_how_long_the_plate_is() -> None:
    assert verdict(read("AB12CDE"), read("AB12CDE"), read("B12CDE", 0.99)).text == "AB12CDE"


def test_of_two_lengths_the_longer_wins() -> None:
    """Readers lose far more than they invent."""
    assert verdict(read("AB12C"), read("AB12CD")).text == "AB12CD"


def test_one_too_many_is_left_out() -> None:
    assert verdict(read("AB12CD"), read("AB12CDI"), read("AB12CD"), read("IAB12CD")).text == "AB12CD"


def test_a_reading_that_lost_a_character_votes_for_the_others() -> None:
    torn = [read("AB12CD", 0.9), read("AB17CD", 0.88)]
    assert verdict(*torn).text == "AB12CD"
    assert verdict(*torn, read("B17CD", 0.5)).text == "AB17CD"


# Where it comes from.


def test_what_somebody_read_is_read() -> None:
    assert verdict(read("AB12CD"), read("AB12CE", 0.5)).origin is Origin.READ


def test_a_plate_that_is_whole_in_no_reading_is_composed() -> None:
    """Something is before another part of it each time."""
    torn = [read(text, 0.99) for text in ("12CDE", "AB1CDE", "AB12E", "AB12C")]
    assert verdict(*torn)[::2] == ("AB12CDE", Origin.COMPOSED)


def test_what_nobody_read_must_be_clearly_likelier() -> None:
    assert verdict(read("AB12C"), read("B12CD", [0.9, 0.9, 0.9, 0.9, 0.3]))[::2] == ("AB12C", Origin.READ)
    assert verdict(read("AB12C"), read("B12CD"))[::2] == ("AB12CD", Origin.COMPOSED)


def test_what_was_surely_read_several_times_wins_over_what_nobody_read() -> None:
    texts = ("B12CDE", "AB12CD", "AB12DE", "B12CDE")
    assert verdict(*[read(text, 0.9) for text in texts])[::2] == ("B12CDE", Origin.READ)
    assert verdict(*[read(text, 0.89) for text in texts])[::2] == ("AB12CDE", Origin.COMPOSED)


@given(st.lists(readings, min_size=1, max_size=8))
def test_photos_are_never_composed(parts: list[Votes]) -> None:
    found = verdict(*parts, may_compose=False)
    assert found.origin is Origin.READ
    assert found.text in add_votes(*parts)


# How sure it is.


def test_confidence_falls_with_disagreement() -> None:
    for may_compose in (False, True):
        agreed = verdict(read("AB12CD"), read("AB12CD"), may_compose=may_compose)
        torn = verdict(read("AB12CD"), read("AB12CE"), may_compose=may_compose)
        assert torn.confidence < agreed.confidence


def test_a_plate_is_as_sure_as_its_least_sure_character() -> None:
    assert verdict(read("AB12CD", [0.99] * 5 + [0.6]), may_compose=False).confidence == pytest.approx(0.6)


@given(st.lists(readings, min_size=1, max_size=12), st.booleans())
def test_confidence_is_a_probability(parts: list[Votes], may_compose: bool) -> None:
    assert 0 <= verdict(*parts, may_compose=may_compose).confidence <= 1


def test_who_lost_a_character_says_nothing_about_it() -> None:
    agreed = verdict(read("AB12CD"), read("AB12CD"), read("AB12CD"))
    assert verdict(read("AB12CD"), read("AB12CD"), read("AB12C")).confidence == pytest.approx(agreed.confidence)

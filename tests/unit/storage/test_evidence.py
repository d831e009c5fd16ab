"""How much two texts speak for one plate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.plates.evidence import Text, as_text, conflict, surely_differ, text_evidence
from storage.plates.text import weight

chars = st.text("ABEI0O1823", min_size=4, max_size=9)
sures = st.floats(0.8, 1)


def text(chars: str, sure: float = 0.99, count: int = 1) -> Text:
    return as_text(chars, (weight(sure),) * len(chars), count)


@given(sures, sures)
def test_two_texts_say_the_same_whichever_is_first(sure: float, other_sure: float) -> None:
    one = text("AB12CD", sure)
    for other in (text(chars, other_sure) for chars in ("AB12CD", "A812CD", "AB12C", "XAB12CD")):
        assert text_evidence(one, other) == pytest.approx(text_evidence(other, one))
        assert surely_differ(one, other) == surely_differ(other, one)


@given(chars, sures)
def test_nothing_speaks_for_one_plate_as_much_as_the_same_text(chars: str, sure: float) -> None:
    same = text_evidence(text(chars, sure), text(chars, sure))
    assert same > 0
    assert same > text_evidence(text(chars, sure), text(chars[:-1] + "X", sure))
    assert same > text_evidence(text(chars, sure), text(chars + "X", sure))


def test_the_same_text_speaks_the_more_for_one_plate_the_surer_it_was_read() -> None:
    evidence = [text_evidence(text("AB12CD", sure), text("AB12CD", sure)) for sure in (0.5, 0.8, 0.95, 0.99)]
    assert evidence == sorted(set(evidence))


def test_the_more_of_the_same_text_the_surer_it_is() -> None:
    once, often = text("AB12CD", 0.8), text("AB12CD", 0.8, count=9)
    assert min(often.right) > max(once.right)
    assert often.garbled < once.garbled


@pytest.mark.parametrize(("one", "other"), [("AB12CD", "XY99ZZ"), ("AB12CD", "AB13CE"), ("A1234", "A1235")])
def test_sure_different_characters_speak_for_two(one: str, other: str) -> None:
    assert text_evidence(text(one), text(other)) < 0


def test_the_same_characters_unsure_say_less() -> None:
    sure = text_evidence(text("AB12CD"), text("AB13CE"))
    assert sure < text_evidence(text("AB12CD", 0.5), text("AB13CE")) < text_evidence(text("AB12CD"), text("AB12CD"))


def test_what_the_reader_confuses_says_less_than_what_it_does_not() -> None:
    assert text_evidence(text("AB12CD"), text("A812CD")) > text_evidence(text("AB12CD"), text("AX12CD"))


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_two_different_characters_are_weighed_from_both_sides(p: float, q: float) -> None:
    assert conflict("O", p, "0", q) == pytest.approx(conflict("0", q, "O", p))
    assert conflict("O", p, "0", q) > conflict("O", p, "4", q)


def test_who_lost_a_character_may_have_read_the_same_plate() -> None:
    whole = text("BA832XY")
    assert text_evidence(whole, text("BA83XY")) > 1
    assert text_evidence(whole, text("A832XY")) > 1
    assert text_evidence(whole, text("832XY")) > text_evidence(whole, text("XY99Z"))


def test_each_having_lost_what_the_other_has_is_rare() -> None:
    """By edits alone BA322XY and BA832XY are as near as BA832XY and a reading that lost one and gained one."""
    assert text_evidence(text("BA322XY"), text("BA832XY")) < -1


def test_a_garbled_reading_speaks_little_against_any_plate() -> None:
    """It is of nothing that is on the plate, so what is different in it counts no more than that it is garbled."""
    unsure, sure = text("QX7Q1Z", 0.4), text("QX7Q1Z", 0.99)
    assert text_evidence(text("BA832XY"), sure) < text_evidence(text("BA832XY"), unsure) - 1 < 0


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        ("AB12CD", "AB12CD", False),
        ("AB12CD", "A812CD", True),
        ("ABO2CD", "AB02CD", False),
        ("ABQ2CD", "AB02CD", False),
        ("ABI2CD", "AB12CD", False),
        ("AB12CD", "AB12C", False),  # lost, not different
    ],
)
def test_what_surely_differs(one: str, other: str, differ: bool) -> None:
    assert surely_differ(text(one), text(other)) is differ
    assert not surely_differ(text(one, 0.9), text(other)), "who is not sure does not differ surely"

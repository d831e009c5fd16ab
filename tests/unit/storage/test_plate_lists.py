"""Which known plate a passage shows: by its vote, or by one sure reading that was outvoted."""

from __future__ import annotations

import pytest

from storage.passages.plate_lists import SURE_OF_TEXT, PlateLists, new_plate
from storage.plates.confusions import confusion_cost, p_text_right

pytestmark = pytest.mark.unit
VOTED = "XY99ZZ"


def lists(*plates: tuple[str, str] | tuple[str, str, float]) -> PlateLists:
    return PlateLists(
        new_plate(name, plate, tolerance=tolerance[0] if tolerance else 1) for name, plate, *tolerance in plates
    )


def test_the_nearest_plate_within_its_tolerance_counts():
    known = lists(("allow", "AB12CD"), ("deny", "AB12CW", 0), ("deny", "XY99ZZ", 2), ("watch", "AB12CD"))

    def found(text: str) -> tuple[str, str, float] | None:
        match = known.match_votes(text, {text: 1.0})
        assert match is None or match[3:] == (text, "vote")
        return match and match[:3]

    assert found("AB12CD") == ("allow", "AB12CD", 0)
    assert found("AB12CW") == ("deny", "AB12CW", 0)
    assert found("AB12CM") == ("allow", "AB12CD", confusion_cost("D", "M"))
    assert found("XY98Z") == ("deny", "XY99ZZ", round(1 + confusion_cost("9", "8"), 2))
    assert found("QQ77QQ") is None
    assert PlateLists().match_votes("AB12CD", {"AB12CD": 1.0}) is None


def test_look_alikes_cost_less_than_another_character_and_only_within_the_tolerance():
    both = round(confusion_cost("B", "8") + confusion_cost("1", "I"), 2)
    assert 0 < both < 2
    assert lists(("deny", "AB12CD", 2)).match_votes("A8I2CD", {}) == ("deny", "AB12CD", both, "A8I2CD", "vote")
    assert lists(("deny", "AB12CD", both - 0.01)).match_votes("A8I2CD", {}) is None


def test_two_confusions_are_two_errors_however_little_they_cost():
    both = round(confusion_cost("D", "0") + confusion_cost("D", "O"), 2)
    assert both < 1
    assert lists(("deny", "AD1DCD")).match_votes("A01OCD", {}) is None
    assert lists(("deny", "AD1DCD", 1.1)).match_votes("A01OCD", {}) == ("deny", "AD1DCD", both, "A01OCD", "vote")


def test_a_denied_plate_that_was_read_surely_is_a_match_whatever_the_vote_became():
    match = lists(("deny", "BA482XY")).match_votes("BA43264XY", {"BA43264XY": 0.9, "BA482XY": 1.0})
    assert match == ("deny", "BA482XY", 0, "BA482XY", "reading")


@pytest.mark.parametrize("name", ["allow", "staff"])
def test_one_misread_opens_no_gate(name: str):
    assert lists((name, "BA781XY", 0)).match_votes("BA731XY", {"BA781XY": 1.0}) is None


def test_a_reading_that_is_not_sure_enough_is_no_evidence():
    unsure = max(step / 1000 for step in range(1001) if p_text_right(step / 1000) < SURE_OF_TEXT)
    known = lists(("deny", "BA482XY"))
    assert known.match_votes(VOTED, {"BA482XY": unsure}) is None
    assert known.match_votes(VOTED, {"BA482XY": unsure + 0.001}) is not None


def test_a_reading_must_show_the_plate_itself_look_alikes_apart():
    known = lists(("deny", "BA482XO"))
    assert known.match_votes(VOTED, {"BA482XO": 1.0}) is not None
    alike = known.match_votes(VOTED, {"BA482X0": 1.0})
    assert alike == ("deny", "BA482XO", confusion_cost("O", "0"), "BA482X0", "reading")
    assert known.match_votes(VOTED, {"BA482XW": 1.0}) is None
    assert lists(("deny", "BA482XO", 0)).match_votes(VOTED, {"BA482X0": 1.0}) is None


def test_who_is_looked_for_comes_first_and_of_equals_the_vote():
    read = {"AB12CD": 1.0, "XY99ZZ": 1.0}
    assert lists(("deny", "AB12CD"), ("deny", "XY99ZZ")).match_votes(VOTED, read) == ("deny", VOTED, 0, VOTED, "vote")
    denied = ("deny", "AB12CD", 0, "AB12CD", "reading")
    assert lists(("deny", "AB12CD"), ("allow", "XY99ZZ")).match_votes(VOTED, read) == denied
    allowed = ("allow", VOTED, 0, VOTED, "vote")
    assert lists(("deny", "AB12CO"), ("allow", "XY99ZZ")).match_votes(VOTED, {"AB12C0": 1.0}) == allowed

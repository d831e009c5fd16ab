"""Formats decide between characters that look alike, and nothing else."""

from __future__ import annotations

import pytest

from sightline.errors import SettingsError
from sightline.plate_formats import BY_LENGTH, FORMATS, LETTERS, fits_a_format
from workers.recognizers.formats import Formats

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("country", "read", "resolved"),
    [
        ("sk", "RK6O5AB", "RK605AB"),
        ("sk", "RKOO3A8", "RKOO3A8"),  # three changes: more than two are a guess
        ("sk", "RK0O3AB", "RK003AB"),
        ("br", "OKMO944", "OKM0944"),
        ("br", "0KMO944", "OKM0944"),
        ("gb", "OYO9FEU", "OY09FEU"),
        ("sk", "RK735AS", "RK735AS"),
        ("sk", "RKT35AS", "RKT35AS"),  # nothing that looks like T is a digit that the recognizer thought of
        ("sk", "RK35AS", "RK35AS"),  # a missing character is never invented
        ("sk", "RK7355AS", "RK7355AS"),
        ("sk", "", ""),
    ],
)
def test_a_format_decides_between_look_alikes(country: str, read: str, resolved: str) -> None:
    assert Formats([country]).resolve(read) == resolved


def test_a_text_that_fits_some_format_stays_when_all_are_asked() -> None:
    assert Formats().resolve("OKM0944") == "OKM0944"
    assert Formats().resolve("BA302OZ") == "BA302OZ"


def test_formats_that_demand_different_changes_change_nothing() -> None:
    # AAA 9999 makes it BOB8888 .. 9AAA999 makes it 8OBB888: which one cannot be told.
    formats = Formats(["us"])
    assert formats.resolve("8O88888") == "8O88888"


def test_less_alike_characters_are_swapped_only_if_the_recognizer_thought_of_it() -> None:
    formats = Formats(["sk"])
    sure = [((char, 1.0),) for char in "RKS35AS"]
    unsure = [*sure[:2], (("S", 0.7), ("5", 0.2)), *sure[3:]]
    assert formats.resolve("RKS35AS", sure) == "RKS35AS"
    assert formats.resolve("RKS35AS", unsure) == "RK535AS"


def test_what_a_recognizer_was_sure_of_is_not_changed_into_a_usual_plate() -> None:
    chosen = [((char, 0.99), (other, 0.001)) for char, other in zip("KMBORAK", "XN80PRX", strict=True)]
    assert Formats(["gb"]).resolve("KMBORAK", chosen) == "KMBORAK"
    chosen[2:4] = (("B", 0.5), ("8", 0.4)), (("O", 0.5), ("0", 0.4))
    assert Formats(["gb"]).resolve("KMBORAK", chosen) == "KM80RAK"


def test_the_formats_of_all_countries_change_nothing() -> None:
    """`99I-AAA` fits one, with an I for the 1, and so does nearly everything."""
    read = [((char, 0.6), (other, 0.4)) for char, other in zip("99A9AA", "OOHIHH", strict=True)]
    assert Formats().resolve("99A9AA", read) == "99A9AA"


def test_an_unknown_country_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="SIGHTLINE_PLATE_COUNTRIES: no formats of 'dee' are known; use ee, de"):
        Formats(["dee"])


def test_every_format_fits_itself() -> None:
    for length, forms in BY_LENGTH.items():
        for form in forms:
            text = "".join(allowed[0] for allowed in form.places)
            assert len(text) == length
            assert form.fits(text)
            assert fits_a_format(text)


def test_every_pattern_has_letters_and_digits_only_where_it_says_so() -> None:
    for country, patterns in FORMATS.items():
        for pattern in patterns:
            assert set(pattern) <= set("A9? -abcdefghlmnpswz"), (country, pattern)
    assert LETTERS.keys() <= FORMATS.keys()

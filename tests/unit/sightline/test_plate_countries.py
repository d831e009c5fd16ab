"""The likely country of a plate, by its form."""

from __future__ import annotations

import pytest

from sightline.plate_countries import likely_country, parse_countries

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("countries", "text", "code"),
    [
        ("", "MH12DE1433", "in"),
        ("", "EGB626AA", "ng"),
        ("", "A123BC777", "ru"),
        ("", "29V52108", "vn"),
        ("sk cz", "RK605AB", "sk"),
        ("us", "7EAV033", "us"),  # California's, which a few others have too
        ("us-ca us-tx", "7EAV033", "us-ca"),
        ("br us", "OUQ6A14", "br"),
    ],
)
def test_the_likeliest_country_of_a_plate(countries: str, text: str, code: str) -> None:
    found = likely_country(text, parse_countries(countries))
    assert found is not None
    assert found.code == code
    assert 0.3 < found.confidence <= 1


def test_a_text_of_no_format_has_no_country() -> None:
    assert likely_country("99BHX", ("sk",)) is None


def test_what_many_countries_write_is_of_none_surely() -> None:
    found = likely_country("KRW301")
    assert found is not None
    assert found.confidence < 0.5

"""What looks like a plate, and which texts may be the same one."""

from __future__ import annotations

from itertools import chain

import pytest

from sightline.errors import BadMessageError
from sightline.plate_formats import BY_LENGTH
from storage.plates.confusions import confusion_cost
from storage.plates.text import most_errors, normalize, plate_chars, plate_distance, read_plate, spell_plate


@pytest.mark.parametrize(
    ("text", "plate"),
    [
        ("AB12CDE", "AB12CDE"),
        ("b mw-1234", "BMW1234"),
        ("ＡＢ１２", "AB12"),  # full width
        ("А123ВС77", "A123BC77"),  # Cyrillic look-alikes
        ("京A12345", "A12345"),
        ("M-ÜX 77", "MUX77"),
        ("M-U\u0308X 77", "MUX77"),
        ("12-345-67", "1234567"),
        ("AB1", None),  # short: only in a box of a plate, and read surely
        ("MH12DE1433", "MH12DE1433"),  # ten, as India writes them
        ("ABCDEF", None),  # no digit
        ("ABC1234567", None),  # ten, as nobody writes them
        ("ABC12345678", None),  # too long
        ("", None),
        ("12:34:56", None),  # a clock in the picture
        ("7:45", None),
        ("CAM1 12:34", None),
        ("4B0:4979", "4B04979"),  # the two round stickers of a Czech plate read as a colon
        ("1T4: 3213", "1T43213"),
        ("2026-05-01", None),
        ("01.05.2026", None),
    ],
)
def test_what_looks_like_a_plate(text: str, plate: str | None) -> None:
    found = read_plate(text, 0.9)
    assert (found and found.text) == plate
    if plate is not None:
        assert plate_chars(text) == plate


@pytest.mark.parametrize(
    ("written", "plate"),
    [
        ("TÜ AB 123", "TUAB123"),
        ("TU\u0308 AB 123", "TUAB123"),
        ("kab-47.21", "KAB4721"),
        ("A·12345", "A12345"),
        ("AB\u201312\u00a0CD", "AB12CD"),
        ("\u0410123\u0412\u042177", "A123BC77"),  # Cyrillic look-alikes
        ("", ""),
    ],
)
def test_a_plate_that_somebody_writes_is_spelled_as_plates_are_read(written: str, plate: str) -> None:
    assert spell_plate(written, "text") == plate


@pytest.mark.parametrize(
    ("written", "sign"), [("京A 12345", "京"), ("K?B*", "?"), ("<b>x1", "<"), ("MØ 1", "Ø"), ("A_1", "_")]
)
def test_no_sign_of_it_vanishes(written: str, sign: str) -> None:
    with pytest.raises(BadMessageError) as caught:
        spell_plate(written, "text")
    assert (caught.value.field, str(caught.value).startswith(f"text: {written!r} has {sign!r}, which")) == (
        "text",
        True,
    )


@pytest.mark.parametrize(
    ("label", "confidence", "plate"),
    [
        ("plate", 0.99, "GWAGEN"),
        ("license_plate", 0.99, "GWAGEN"),
        ("plate", 0.9, None),
        ("text", 0.99, None),
        ("", 1.0, None),
    ],
)
def test_letters_alone_need_a_box_of_a_plate_and_a_sure_reading(
    label: str, confidence: float, plate: str | None
) -> None:
    found = read_plate("G-WAGEN", confidence, label=label)
    assert (found and found.text) == plate


def test_every_format_is_a_plate() -> None:
    """In a plate detector's box, read surely; longer and shorter texts than most too."""
    for form in chain.from_iterable(BY_LENGTH.values()):
        text = "".join(allowed[-1] for allowed in form.places)
        assert read_plate(text, 0.99, label="plate") is not None, (form.country, text)


@pytest.mark.parametrize(
    ("text", "label", "confidence", "plate"),
    [("BA1", "plate", 0.99, "BA1"), ("BA1", "plate", 0.8, None), ("BA1", "", 0.99, None), ("B12", "plate", 0.99, None)],
)
def test_three_characters_need_a_format_a_box_of_a_plate_and_a_sure_reading(
    text: str, label: str, confidence: float, plate: str | None
) -> None:
    found = read_plate(text, confidence, label=label)
    assert (found and found.text) == plate


def test_characters_keep_their_own_confidence() -> None:
    plate = read_plate("A-1 23", 0.5, [0.1, 0.2, 0.3, 0.4, 0.6, 0.7])
    assert plate == ("A123", (100, 300, 600, 700))


def test_without_character_confidences_the_reading_stands_for_all() -> None:
    for given in ((), (0.1, 0.2)):
        assert read_plate("A123", 0.5, given) == ("A123", (500,) * 4)


def test_a_hopeless_reading_still_has_a_voice() -> None:
    assert read_plate("A123", 0.0) == ("A123", (1,) * 4)


def test_normalize_keeps_letters_and_digits_of_any_script() -> None:
    assert normalize("é-10 ǆ_%*") == "É10DŽ"
    assert normalize("東京 5") == "東京5"


@pytest.mark.parametrize(
    ("true", "read", "distance"),
    [
        ("AB12CD", "AB12CD", 0),
        ("AB12CD", "AB12CW", 1),
        ("AB12CD", "AB2CD", 1),
        ("AB12CD", "AB12CDE", 1),
        ("AB12CD", "AB1", 3),
        ("", "AB", 2),
    ],
)
def test_a_character_changed_added_or_left_out_costs_one(true: str, read: str, distance: float) -> None:
    assert plate_distance(true, read) == plate_distance(read, true) == distance


@pytest.mark.parametrize(
    ("true", "read", "pairs"),
    [("ABO2CD", "AB02CD", ["O0"]), ("OISZ", "0152", ["O0", "I1", "S5", "Z2"]), ("AB12CO", "A812CD", ["B8", "OD"])],
)
def test_what_readers_confuse_costs_less(true: str, read: str, pairs: list[str]) -> None:
    distance = plate_distance(true, read)
    assert distance == pytest.approx(sum(confusion_cost(*pair) for pair in pairs))
    assert distance < len(pairs)


def test_what_is_confused_costs_less_beside_what_is_left_out() -> None:
    assert plate_distance("AB12CD", "A812C") == 1 + confusion_cost("B", "8")


def test_so_many_characters_may_differ_within_a_distance_look_alikes_apart() -> None:
    assert [most_errors(each) for each in (0, 0.5, 1, 1.5, 2)] == [0, 1, 1, 2, 2]

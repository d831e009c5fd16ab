"""How countries write their plates, and what that says about characters that look alike.

A pattern is written as on the plate: `A` a letter, `9` a digit, anything else a separator. To add a country, add a
line.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from sightline.errors import SettingsError
from sightline.settings import ModelSettings

FORMATS: Mapping[str, tuple[str, ...]] = {
    "ar": ("AA 999 AA", "AAA 999"),
    "at": ("A 99999 A", "A 9999 AA", "A 999 AAA", "AA 999 AA", "AA 99 AAA", "AA 9999 A"),
    "be": ("9-AAA-999", "AAA-999", "999-AAA"),
    "bg": ("A 9999 AA", "AA 9999 AA"),
    "br": ("AAA-9999", "AAA9A99"),
    "ch": ("AA 9999", "AA 99999", "AA 999999"),
    "cl": ("AAAA-99", "AA-9999"),
    "co": ("AAA 999", "AAA 99A"),
    "cz": ("9A9 9999", "9AA 9999", "AAA 99-99", "AA 99-99"),
    "de": (
        "A-A 9", "A-A 99", "A-A 999", "A-A 9999", "A-AA 9", "A-AA 99", "A-AA 999", "A-AA 9999", "AA-A 9", "AA-A 99",
        "AA-A 999",
        "AA-A 9999", "AA-AA 9", "AA-AA 99", "AA-AA 999", "AA-AA 9999", "AAA-A 9", "AAA-A 99", "AAA-A 999",
        "AAA-A 9999", "AAA-AA 9",
        "AAA-AA 99", "AAA-AA 999",
    ),
    "dk": ("AA 99 999",),
    "ee": ("999 AAA",),
    "es": ("9999 AAA", "A 9999 AA", "AA 9999 AA"),
    "fi": ("AAA-999",),
    "fr": ("AA-999-AA", "9999 AA 99", "999 AAA 99"),
    "gb": ("AA99 AAA", "A999 AAA", "AAA 999A"),
    "gr": ("AAA-9999",),
    "hr": ("AA 999-A", "AA 999-AA", "AA 9999-A", "AA 9999-AA"),
    "hu": ("AAA-999", "AA AA-999"),
    "ie": ("99-A-9999", "99-A-99999", "999-A-9999", "999-A-99999", "999-AA-9999"),
    "in": ("AA 99 A 9999", "AA 99 AA 9999"),
    "it": ("AA 999 AA",),
    "lt": ("AAA 999",),
    "lv": ("AA-9999",),
    "mx": ("AAA-999-A", "AAA-99-99", "A-999-AAA"),
    "nl": ("99-AA-AA", "AA-999-A", "9-AAA-99", "A-999-AA", "99-AAA-9", "AA-99-99", "AA-AA-99", "999-AA-9"),
    "no": ("AA 99999",),
    "pl": (
        "AA 99999", "AA 9999A", "AA 999AA", "AAA A999", "AAA 99AA", "AAA 9A99", "AAA 99A9", "AAA 9AA9", "AAA 99999",
        "AAA 9999A"
    ),
    "pt": ("AA-99-AA", "99-AA-99", "99-99-AA", "AA-99-99"),
    "ro": ("AA 99 AAA", "A 99 AAA", "A 999 AAA"),
    "rs": ("AA 999-AA", "AA 9999-AA"),
    "se": ("AAA 999", "AAA 99A"),
    "sk": ("AA 999AA",),
    "tr": ("99 A 9999", "99 AA 999", "99 AA 9999", "99 AAA 99", "99 AAA 999"),
    "ua": ("AA 9999 AA",),
    "us": (
        "9AAA999", "AAA 9999", "AAA-999", "999 AAA", "AA9 A9A", "A99 9AA", "AA9 9AA", "AA9 A999", "AAA A99",
        "99999A9", "9A99999",
        "999 9999", "A99 9999", "AA 99999", "9AA 999", "999A99", "9999 AA", "9999AAA", "AA99999", "A999999",
    ),
}  # fmt: skip

#: pairs of characters that a camera can hardly tell apart
_ALIKE = ("O0", "I1", "B8")
#: pairs that a format decides only where the recognizer itself thought of the other one: it can tell them apart mostly,
#: so that `KM BORAK`, which somebody chose, is not made a British `KM80 RAK` and stays what it is
_SIMILAR = ("I1", "B8", "S5", "Z2", "G6", "Q0", "D0", "T7", "A4")
_LIKELY_ENOUGH = 0.02
_MOST_CHANGES = 2

Alternatives = Sequence[tuple[str, float]]


class Formats:
    """The formats of some countries, or of all."""

    def __init__(self, countries: Iterable[str] = ()) -> None:
        """Take the formats of `countries`, or with none of them all.

        Raises:
            SettingsError: there is no such country; names the nearest ones.
        """
        chosen = [country.strip().lower() for country in countries] or list(FORMATS)
        self._by_length: dict[int, set[str]] = {}
        for country in chosen:
            if country not in FORMATS:
                near = difflib.get_close_matches(country, FORMATS, n=3, cutoff=0.3) or sorted(FORMATS)
                raise SettingsError(
                    f"SIGHTLINE_PLATE_COUNTRIES: no formats of {country!r} are known; use {', '.join(near)} "
                    "or add it to workers/recognizers/formats.py"
                )
            for pattern in FORMATS[country]:
                bare = "".join(sign for sign in pattern if sign in "A9")
                self._by_length.setdefault(len(bare), set()).add(bare)

    def resolve(self, text: str, alternatives: Sequence[Alternatives] = ()) -> str:
        """`text` with characters swapped for those they look like, where that alone makes it fit a format.

        Nothing changes if it fits already, if no swap makes it fit, if more than two swaps are needed, or if formats
        demand different swaps. `text` is A-Z and 0-9; `alternatives` has (character, probability) for each character.
        """
        found: dict[str, int] = {}
        for pattern in self._by_length.get(len(text), ()):
            fitted = [
                _fit(char, kind, alternatives[i] if alternatives else ())
                for i, (char, kind) in enumerate(zip(text, pattern, strict=True))
            ]
            if all(fitted):
                candidate = "".join(fitted)
                found[candidate] = sum(a != b for a, b in zip(text, candidate, strict=True))
        fewest = min(found.values(), default=0)
        best = [candidate for candidate, changes in found.items() if changes == fewest]
        return best[0] if len(best) == 1 and 0 < fewest <= _MOST_CHANGES else text


def open_formats(settings: ModelSettings) -> Formats:
    """The formats of the countries that SIGHTLINE_PLATE_COUNTRIES names, or of all.

    Raises:
        SettingsError: there is no such country; names the nearest ones.
    """
    return Formats(settings.plate_countries.replace(",", " ").split())


def _fit(char: str, kind: str, alternatives: Alternatives) -> str:
    """`char` or its look-alike, whichever is of this kind (`A` letter, `9` digit); empty if neither is."""
    if char.isdigit() == (kind == "9"):
        return char
    is_known = len(alternatives) > 1  # else nobody says what else it may have been
    for pair in _ALIKE[:1] if is_known else _ALIKE:
        if char in pair:
            return pair.replace(char, "")
    thought_of = {other for other, probability in alternatives if probability >= _LIKELY_ENOUGH}
    for pair in _SIMILAR:
        if char in pair and (other := pair.replace(char, "")) in thought_of:
            return other
    return ""

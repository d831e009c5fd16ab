"""What the formats of countries say about characters that look alike, and about the country itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from sightline.errors import SettingsError
from sightline.plate_formats import FORMATS, Format, formats_of
from sightline.settings import Settings

#: Pairs of characters that are drawn alike, and how likely one is meant where a reader thinks of the other alone.
_ALIKE: Final = {"O0": 0.25}
#: Of plates so many have a form that the table does not have: chosen ones, old ones, those of other countries.
_OTHERS: Final = 0.3
_CHARACTERS: Final = 36
#: How rare a text is counts as its root: nobody is sure that the table has all formats.
_RARITY_COUNTS: Final = 0.5
#: A character is changed for one that is at least so likely against it.
_LEAST_LIKELY: Final = 0.25
_MOST_CHANGES: Final = 2
#: What a name that is written on the plate (`TEXAS`) says against all formats.
_NAMED: Final = 500.0
#: The share of a country's plates that the entries of its parts (`us-tx`) have together.
_OF_PARTS: Final = 0.7

Alternatives = Sequence[tuple[str, float]]


class Country(NamedTuple):
    """ISO 3166: `sk`, or `us-tx` where a part of a country is as likely."""

    code: str
    confidence: float


class Formats:
    """The formats of some countries, or of all."""

    def __init__(self, countries: Iterable[str] = ()) -> None:
        """Take the formats of `countries`, or with none of them all.

        Raises:
            SettingsError: there is no such country; names the nearest ones.
        """
        chosen = [country.strip().lower() for country in countries] or list(FORMATS)
        for country in chosen:
            if country not in FORMATS:
                near = difflib.get_close_matches(country, FORMATS, n=3, cutoff=0.3) or sorted(FORMATS)
                raise SettingsError(
                    f"SIGHTLINE_PLATE_COUNTRIES: no formats of {country!r} are known; use {', '.join(near)} "
                    "or add it to sightline/plate_formats.py"
                )
        self._shares = _shares(chosen)
        self.are_chosen = len(chosen) < len(FORMATS)  #: somebody said whose plates these are
        self._by_length: dict[int, list[Format]] = {}
        for form in (form for country in self._shares for form in formats_of(country)):
            self._by_length.setdefault(len(form.places), []).append(form)

    def resolve(self, text: str, alternatives: Sequence[Alternatives] = ()) -> str:
        """`text`, or what is likelier: a text of a chosen format that differs in characters nearly as likely.

        How likely a text is: what the reader thought of its characters, and how rare it is among the plates of the
        countries. The formats of all countries together fit nearly everything, and change nothing. `text` is A-Z and
        0-9; `alternatives` has (character, probability) for each character.
        """
        forms = self._by_length.get(len(text), ()) if self.are_chosen else ()
        if not forms:
            return text
        ratios = [_ratios(char, alternatives[at] if alternatives else ()) for at, char in enumerate(text)]
        if all(len(one) == 1 for one in ratios):
            return text
        best, most = text, self.rarity(text) ** _RARITY_COUNTS
        for candidate, likelihood in {_nearest(form, ratios) for form in forms} - {("", 0.0)}:
            changes = sum(a != b for a, b in zip(text, candidate, strict=True))
            if (
                0 < changes <= _MOST_CHANGES
                and (weighed := likelihood * self.rarity(candidate) ** _RARITY_COUNTS) > most
            ):
                best, most = candidate, weighed
        return best

    def country_of(self, text: str, named: Iterable[str] = ()) -> Country | None:
        """The likeliest country of a plate, or part of one; None if no format fits and nothing is named.

        `named` are codes whose names stand on the plate.
        """
        found = {country: p * self._shares[country] for country, p in self._likelihoods(text).items()}
        others = _OTHERS / _CHARACTERS ** len(text)
        for code in named:
            found[code] = max(found.get(code, 0.0), others * self._shares.get(code, 0.0)) * _NAMED
        total = sum(found.values()) + others
        if not found:
            return None
        whole: dict[str, float] = {}
        for code, p in found.items():
            whole[code[:2]] = whole.get(code[:2], 0.0) + p / total
        country = max(whole, key=lambda code: (whole[code], code))
        part = max((code for code in found if code[:2] == country), key=lambda code: (found[code], code))
        is_likely = len(part) > 2 and found[part] / total >= max(0.5, whole[country] / 2)
        return Country(part, found[part] / total) if is_likely else Country(country, min(1.0, whole[country]))

    def rarity(self, text: str) -> float:
        """How often just this text is met on plates."""
        known = sum(p * self._shares[country] for country, p in self._likelihoods(text).items())
        return (1 - _OTHERS) * known + _OTHERS / _CHARACTERS ** len(text)

    def _likelihoods(self, text: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for form in self._by_length.get(len(text), ()):
            if form.fits(text):
                found[form.country] = found.get(form.country, 0.0) + form.likelihood
        return found


def open_formats(settings: Settings) -> Formats:
    """The formats of the countries that SIGHTLINE_PLATE_COUNTRIES names, or of all.

    Raises:
        SettingsError: there is no such country; names the nearest ones.
    """
    return Formats(settings.plate_countries.replace(",", " ").split())


def _shares(chosen: Sequence[str]) -> Mapping[str, float]:
    """How many plates are of each: countries are as frequent as each other, and so are their parts."""
    codes = sorted({each for code in chosen for each in FORMATS if each == code or each.startswith(f"{code}-")})
    countries = {code[:2] for code in codes}
    shares: dict[str, float] = {}
    for code in codes:
        parts = sum(each.startswith(f"{code[:2]}-") for each in codes)
        of_parts = 0.0 if not parts else _OF_PARTS if code[:2] in codes else 1.0
        shares[code] = (of_parts / parts if len(code) > 2 else 1 - of_parts) / len(countries)
    return shares


def _ratios(char: str, alternatives: Alternatives) -> dict[str, float]:
    """How likely other characters are against the one that was read, those that are likely enough."""
    top = dict(alternatives).get(char, 1.0) or 1.0
    found = {other: p / top for other, p in alternatives if other != char}
    for pair, ratio in _ALIKE.items():
        if char in pair:
            other = pair.replace(char, "")
            found[other] = max(found.get(other, 0.0), ratio)
    return {char: 1.0} | {other: ratio for other, ratio in found.items() if ratio >= _LEAST_LIKELY}


def _nearest(form: Format, ratios: Sequence[Mapping[str, float]]) -> tuple[str, float]:
    """The likeliest text of a form, and how likely it is against what was read; ("", 0) if there is none."""
    text, likelihood = "", 1.0
    for allowed, own in zip(form.places, ratios, strict=True):
        char, ratio = max(((c, r) for c, r in own.items() if c in allowed), key=lambda one: one[1], default=("", 0.0))
        if not char:
            return "", 0.0
        text, likelihood = text + char, likelihood * ratio
    return text, likelihood

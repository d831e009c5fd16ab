"""Which country a plate is likely of, as far as its form says, and how rare it is among all plates."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from sightline.errors import SettingsError
from sightline.plate_formats import FORMATS, Format, formats_of

#: Of plates so many have a form that the table does not have: chosen ones, old ones, those of other countries.
_OTHERS: Final = 0.3
_CHARACTERS: Final = 36
#: The share of a country's plates that the entries of its parts (`us-tx`) have together.
_OF_PARTS: Final = 0.7
#: A part is named where it is at least so likely, and at least half as likely as its country.
_LIKELY_PART: Final = 0.5


class Country(NamedTuple):
    """ISO 3166 in small letters: `sk`, or `us-tx` where a part of a country is likely."""

    code: str
    confidence: float


class Countries:
    """Some countries with their formats, or all."""

    def __init__(self, chosen: Iterable[str] = ()) -> None:
        """Take these countries, or with none of them all.

        Raises:
            SettingsError: there is no such country; names the nearest ones.
        """
        codes = [code.strip().lower() for code in chosen]
        for code in codes:
            if code not in FORMATS:
                near = difflib.get_close_matches(code, FORMATS, n=3, cutoff=0.3) or sorted(FORMATS)
                raise SettingsError(
                    f"SIGHTLINE_PLATE_COUNTRIES: no formats of {code!r} are known; use {', '.join(near)} "
                    "or add it to sightline/plate_formats.py"
                )
        self.are_chosen = bool(codes)  #: somebody said whose plates these are
        self._shares = _shares(codes or list(FORMATS))
        self._by_length: dict[int, list[Format]] = {}
        for form in (form for code in self._shares for form in formats_of(code)):
            self._by_length.setdefault(len(form.places), []).append(form)

    def forms(self, length: int) -> Sequence[Format]:
        """All forms of so many characters."""
        return self._by_length.get(length, ())

    def rarity(self, text: str) -> float:
        """How often just this text is met on plates; A-Z and 0-9."""
        return (1 - _OTHERS) * sum(self._likelihoods(text).values()) + _other(text)

    def likeliest(self, text: str) -> Country | None:
        """The likeliest country of a plate, or part of one; None if it has no form of theirs."""
        found = self._likelihoods(text)
        if not found:
            return None
        total = sum(found.values()) + _other(text)
        whole: dict[str, float] = {}
        for code, likelihood in found.items():
            whole[code[:2]] = whole.get(code[:2], 0.0) + likelihood / total
        country = max(whole, key=lambda code: (whole[code], code))
        parts = (code for code in found if code[:2] == country and len(code) > 2)
        part = max(parts, key=lambda code: (found[code], code), default=country)
        is_likely = part != country and found[part] / total >= max(_LIKELY_PART, whole[country] / 2)
        return Country(part, found[part] / total) if is_likely else Country(country, min(1.0, whole[country]))

    def _likelihoods(self, text: str) -> dict[str, float]:
        """By country: how often its plates are among all, and have just this text."""
        found: dict[str, float] = {}
        for form in self.forms(len(text)):
            if form.fits(text):
                found[form.country] = found.get(form.country, 0.0) + form.likelihood * self._shares[form.country]
        return found


def parse_countries(setting: str) -> tuple[str, ...]:
    """`SIGHTLINE_PLATE_COUNTRIES` as codes."""
    return tuple(setting.replace(",", " ").split())


@lru_cache(maxsize=1 << 12)
def likely_country(text: str, chosen: tuple[str, ...] = ()) -> Country | None:
    """The likeliest country of a plate among those that were chosen, or all. Raises as `Countries` does."""
    return _countries(chosen).likeliest(text)


@lru_cache(maxsize=8)
def _countries(chosen: tuple[str, ...]) -> Countries:
    return Countries(chosen)


def _other(text: str) -> float:
    return _OTHERS / _CHARACTERS ** len(text)


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

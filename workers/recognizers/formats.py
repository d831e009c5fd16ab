"""What the formats of countries say about characters that look alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sightline.plate_countries import Countries, parse_countries
from sightline.plate_formats import Format
from sightline.settings import ModelSettings

#: Pairs of characters that are drawn alike, and how likely one is meant where a reader thinks of the other alone.
_ALIKE: Final = {"O0": 0.25}
#: How rare a text is counts as its root: nobody is sure that the table has all formats.
_RARITY_COUNTS: Final = 0.5
#: A character is changed for one that is at least so likely against it, and no more of them than this.
_LEAST_LIKELY: Final = 0.25
_MOST_CHANGES: Final = 2

Alternatives = Sequence[tuple[str, float]]


class Formats(Countries):
    """The formats of some countries, or of all, and what they make of a text that was read."""

    def resolve(self, text: str, alternatives: Sequence[Alternatives] = ()) -> str:
        """`text`, or what is likelier: a text of a chosen format that differs in characters nearly as likely.

        How likely a text is: what the reader thought of its characters, and how rare it is among the plates of the
        countries. The formats of all countries together fit nearly everything, and change nothing. `text` is A-Z and
        0-9; `alternatives` has (character, probability) for each character.
        """
        forms = self.forms(len(text)) if self.are_chosen else ()
        if not forms:
            return text
        ratios = [_ratios(char, alternatives[at] if alternatives else ()) for at, char in enumerate(text)]
        if all(len(one) == 1 for one in ratios):
            return text
        best, most = text, self.rarity(text) ** _RARITY_COUNTS
        for candidate, likelihood in {_nearest(form, ratios) for form in forms} - {("", 0.0)}:
            changes = sum(a != b for a, b in zip(text, candidate, strict=True))
            weighed = likelihood * self.rarity(candidate) ** _RARITY_COUNTS
            if 0 < changes <= _MOST_CHANGES and weighed > most:
                best, most = candidate, weighed
        return best


def open_formats(settings: ModelSettings) -> Formats:
    """The formats of the countries that SIGHTLINE_PLATE_COUNTRIES names, or of all.

    Raises:
        SettingsError: there is no such country; names the nearest ones.
    """
    return Formats(parse_countries(settings.plate_countries))


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

"""How countries write their plates: the table that readers, storage and search share.

A pattern is written as on the plate: `A` a letter, `9` a digit, `?` either, a small letter that very letter; anything
else is a separator. Signs outside of A-Z and 0-9 (a Chinese province, Hangul, Kana, Thai letters) are left out: no
reader of ours reads them. To add a country, add a line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

FORMATS: Final[Mapping[str, tuple[str, ...]]] = {
    "ae": ("A 9999", "A 99999", "99 9999", "99 99999", "AA 9999", "AA 99999"),
    "ar": ("AA 999 AA", "AAA 999", "A 999 AAA"),
    "at": ("A 99999 A", "A 9999 AA", "A 999 AAA", "AA 999 AA", "AA 99 AAA", "AA 9999 A"),
    "au": ("AAA 999", "AAA 99A", "9AA 9AA", "999 AAA", "9AAA 999", "A999 AAA", "AA 99 AA"),
    "be": ("9-AAA-999", "AAA-999", "999-AAA"),
    "bg": ("A 9999 AA", "AA 9999 AA"),
    "br": ("AAA-9999", "AAA9A99"),
    "ch": ("AA 9999", "AA 99999", "AA 999999"),
    "cl": ("AAAA-99", "AA-9999"),
    "cn": (
        "A 99999", "A A9999", "A 9A999", "A AA999", "A 9999A", "A 99A99", "A 999A9", "A d99999", "A f99999", "A dA9999",
        "A fA9999",
    ),
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
    "id": ("A 999 AA", "A 9999 A", "A 9999 AA", "A 9999 AAA", "AA 999 AA", "AA 9999 A", "AA 9999 AA", "AA 9999 AAA"),
    "ie": ("99-A-9999", "99-A-99999", "999-A-9999", "999-A-99999", "999-AA-9999"),
    "il": ("99-999-99", "999-99-999"),
    "in": ("AA 99 A 9999", "AA 99 AA 9999", "99 bh 9999 AA"),
    "it": ("AA 999 AA",),
    "jp": ("99-99", "999 99-99", "99 99-99"),
    "kr": ("99 9999", "999 9999"),
    "lt": ("AAA 999",),
    "lv": ("AA-9999",),
    "mx": ("AAA-999-A", "AAA-99-99", "A-999-AAA", "AA-99-999", "AA 9999 A", "99-A-999"),
    "my": ("AAA 999", "AAA 9999", "AA 9999", "A 9999", "AA 9999 A", "A 9999 A", "AAA 9999 A"),
    "ng": ("AAA 999 AA", "AA 999 AAA"),
    "nl": ("99-AA-AA", "AA-999-A", "9-AAA-99", "A-999-AA", "99-AAA-9", "AA-99-99", "AA-AA-99", "999-AA-9"),
    "no": ("AA 99999",),
    "pl": (
        "AA 99999", "AA 9999A", "AA 999AA", "AAA A999", "AAA 99AA", "AAA 9A99", "AAA 99A9", "AAA 9AA9", "AAA 99999",
        "AAA 9999A"
    ),
    "pt": ("AA-99-AA", "99-AA-99", "99-99-AA", "AA-99-99"),
    "ro": ("AA 99 AAA", "A 99 AAA", "A 999 AAA"),
    "rs": ("AA 999-AA", "AA 9999-AA"),
    "ru": ("A 999 AA 99", "A 999 AA 999", "AA 999 99", "AA 999 999", "9999 AA 99"),
    "sa": ("9999 AAA", "999 AAA"),
    "se": ("AAA 999", "AAA 99A"),
    "sg": ("AAA 9999 A", "AAA 999 A", "AA 9999 A"),
    "sk": ("AA 999AA",),
    "th": ("9999", "9 9999", "99 9999"),
    "tr": ("99 A 9999", "99 AA 999", "99 AA 9999", "99 AAA 99", "99 AAA 999"),
    "ua": ("AA 9999 AA",),
    "us": (
        "9AAA999", "AAA 9999", "AAA-999", "999 AAA", "AA9 A9A", "A99 9AA", "AA9 9AA", "AA9 A999", "AAA A99",
        "99999A9", "9A99999",
        "999 9999", "A99 9999", "AA 99999", "9AA 999", "999A99", "9999 AA", "9999AAA", "AA99999", "A999999",
    ),
    "us-ak": ("AAA 999",),
    "us-al": ("9A99999", "99A9999", "99AA999", "9AA9999"),
    "us-ar": ("999 AAA", "AAA 99A"),
    "us-az": ("AAA 9999",),
    "us-ca": ("9AAA999", "99999A9", "9A99999"),
    "us-co": ("AAA 999", "999 AAA", "AAA A99"),
    "us-ct": ("AA 99999", "999 AAA"),
    "us-de": ("999999", "99999"),
    "us-fl": ("AAA A99", "AA9 A9A", "A99 9AA", "999 AAA", "AAA 99A", "99A AAA"),
    "us-ga": ("AAA 9999",),
    "us-hi": ("AAA 999",),
    "us-ia": ("AAA 999",),
    "us-id": ("A 999999", "9A 99999"),
    "us-il": ("AA 99999", "A99 9999", "999 9999"),
    "us-in": ("999A", "999AA", "999AAA"),
    "us-ks": ("999 AAA", "9999 AAA"),
    "us-ky": ("999 AAA", "A9A 999"),
    "us-la": ("AAA 999", "999 AAA"),
    "us-ma": ("999 AA9", "9AA A99", "99A A99"),
    "us-md": ("9AA9999", "AAA 999"),
    "us-me": ("9999 AA", "999 AAA"),
    "us-mi": ("AAA 9999", "9AAA99"),
    "us-mn": ("AAA 999", "999 AAA"),
    "us-mo": ("AA9 A9A",),
    "us-ms": ("AAA 999", "AAA 9999"),
    "us-mt": ("99 9999", "999999A", "AAA 999"),
    "us-nc": ("AAA 9999",),
    "us-nd": ("999 AAA",),
    "us-ne": ("AAA 999",),
    "us-nh": ("999 9999",),
    "us-nj": ("A99 AAA", "AAA 99A"),
    "us-nm": ("999 AAA", "AAA A99"),
    "us-nv": ("99A 999", "999 A99", "AAA 999"),
    "us-ny": ("AAA 9999",),
    "us-oh": ("AAA 9999",),
    "us-ok": ("999 AAA", "AAA 999"),
    "us-or": ("999 AAA",),
    "us-pa": ("AAA 9999",),
    "us-ri": ("999 999", "AA 999"),
    "us-sc": ("AAA 999", "9999 AA"),
    "us-sd": ("9AA 999", "99A A99"),
    "us-tn": ("A99 99A", "999 AAA", "AAA 9999"),
    "us-tx": ("AAA 9999", "AA9 A999"),
    "us-ut": ("A99 9AA", "999 AAA"),
    "us-va": ("AAA 9999",),
    "us-vt": ("AAA 999",),
    "us-wa": ("AAA9999", "999 AAA"),
    "us-wi": ("AAA 9999", "999 AAA"),
    "us-wv": ("9AA 999", "A9A 999"),
    "us-wy": ("99 9999", "9 99999"),
    "vn": ("99A 9999", "99A 99999", "99AA 9999", "99A9 9999", "99A9 99999"),
    "za": (
        "AA 99 AA gp", "AAA 999 gp", "AA 99 AA zn", "ca 999 999", "caa 9999", "nd 999 999", "AAA 999 mp", "AAA 999 l",
        "AAA 999 ec", "AAA 999 fs", "AAA 999 nw", "AAA 999 nc",
    ),
}  # fmt: skip

#: The letters that a country has at `A` and `?`; others have all.
LETTERS: Final[Mapping[str, str]] = {
    "bg": "ABCEHKMOPTXY",
    "cn": "ABCDEFGHJKLMNPQRSTUVWXYZ",
    "es": "BCDFGHJKLMNPRSTVWXYZ",
    "fr": "ABCDEFGHJKLMNPQRSTVWXYZ",
    "gr": "ABEHIKMNOPTXYZ",
    "it": "ABCDEFGHJKLMNPRSTVWXYZ",
    "nl": "BDFGHJKLMNPRSTVWXZ",
    "pt": "ABCDEFGHIJKLMNOPQRSTUVXZ",
    "ru": "ABCEHKMOPTXY",
    "sa": "ABDEGHJKLNRSTUVXZ",
    "ua": "ABCEHIKMOPTX",
}
_ALL: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS: Final = "0123456789"


class Format(NamedTuple):
    """One form of plates of a country, or of a part of it such as `us-tx`."""

    country: str
    places: tuple[str, ...]  #: the characters that may stand at each place
    likelihood: float  #: of any one text of this form, if the plate is of this country

    def fits(self, text: str) -> bool:
        return len(text) == len(self.places) and all(
            char in allowed for char, allowed in zip(text, self.places, strict=True)
        )


def formats_of(country: str) -> list[Format]:
    """All forms of an entry of the table; they are taken to be as frequent as each other."""
    letters = LETTERS.get(country, _ALL)
    kinds = {"A": letters, "9": _DIGITS, "?": letters + _DIGITS}
    bare = dict.fromkeys("".join(sign for sign in each if sign.isalnum() or sign == "?") for each in FORMATS[country])
    forms = [tuple(kinds.get(sign, sign.upper()) for sign in signs) for signs in bare]
    return [Format(country, places, 1 / len(forms) / math.prod(map(len, places))) for places in forms]


def _by_length() -> Mapping[int, Sequence[Format]]:
    found: dict[int, list[Format]] = {}
    for form in chain.from_iterable(map(formats_of, FORMATS)):
        found.setdefault(len(form.places), []).append(form)
    return found


#: All forms by their length.
BY_LENGTH: Final[Mapping[int, Sequence[Format]]] = _by_length()
SHORTEST: Final = min(BY_LENGTH)  #: of all formats, in characters
LONGEST: Final = max(BY_LENGTH)


@lru_cache(maxsize=1 << 12)
def fits_a_format(text: str) -> bool:
    """Whether some country writes its plates like this; A-Z and 0-9."""
    return any(form.fits(text) for form in BY_LENGTH.get(len(text), ()))

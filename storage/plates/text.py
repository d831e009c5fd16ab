"""What a plate looks like as text, and when two texts may be the same plate."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from rapidfuzz.distance import Levenshtein

from sightline.errors import BadMessageError
from sightline.plate_formats import LONGEST, SHORTEST, fits_a_format
from storage.plates.confusions import CHARACTERS, confusion_cost

MIN_PLATE_CHARS: Final = SHORTEST
MAX_PLATE_CHARS: Final = LONGEST
#: Other texts must have the form of some country's plates.
_USUAL_CHARS: Final = range(4, 10)
#: Words are everywhere in a street, and plates that say one are rare, and so are plates of three characters: these take
#: a detector of plates that boxed them, and a reading this sure.
SURE_OF_LETTERS: Final = 0.95
#: Confidences are summed as whole thousandths: sums of integers do not depend on their order.
WEIGHT_OF_CERTAINTY: Final = 1000

_PLATE_ALPHABET: Final = frozenset(CHARACTERS)
#: Cyrillic letters that plates share with Latin ones, whichever of the two a model learned to write.
_LOOK_ALIKES: Final = str.maketrans("АВЕКМНОРСТУХ", "ABEKMHOPCTYX")
#: Dots that people write between the groups of a plate, as they write blanks and dashes.
_DOTS: Final = frozenset(".\N{MIDDLE DOT}")
#: Readers mix these up whatever the plate: the difference says nothing.
_CONFUSED: Final = str.maketrans("OIBSZG", "018526")
#: Clocks and dates that cameras write into the picture. Two round stickers read as a colon are neither: `4B0:4979`.
_CLOCK: Final = re.compile(
    r"(?<!\w)\d{1,2}:\d{2}(?!\d)|(?<!\d)\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?!\d)|(?<!\d)\d{1,2}[-/.]\d{1,2}[-/.]\d{4}(?!\d)"
)


class Plate(NamedTuple):
    """A plate-like text and how sure each of its characters is, in thousandths."""

    text: str
    weights: tuple[int, ...]


@lru_cache(maxsize=1 << 12)
def normalize(text: str) -> str:
    """Letters and digits of any script, in capitals, nothing else: `"ab-12 cd"` becomes `"AB12CD"`."""
    text = unicodedata.normalize("NFKC", text).upper().translate(_LOOK_ALIKES)
    return "".join(char for char in text if char.isalnum())


@lru_cache(maxsize=1 << 12)
def plate_chars(text: str) -> str:
    """The text reduced to what plates consist of, A-Z and 0-9, in capitals; of `Ü` its `U`."""
    return "".join(map(_plate_char, text))


def spell_plate(text: str, field: str) -> str:
    """The `plate_chars` of a plate that somebody wrote. Raises BadMessageError for a sign that they would leave out.

    Blanks, dashes and dots between the groups may be left out, as they are no part of the plate.
    """
    for sign in text:
        if not _plate_char(sign) and not _is_between_groups(sign):
            raise BadMessageError(
                f"{field}: {text[:40]!r} has {sign!r}, which is no part of a plate here; write it with A-Z and 0-9, "
                "with blanks, dashes or dots between",
                field=field,
            )
    return plate_chars(text)


def read_plate(
    text: str, confidence: float, char_confidences: Sequence[float] = (), *, label: str = ""
) -> Plate | None:
    """The reading as a plate; None if it does not look like one.

    `label` is the box's. `char_confidences` has one entry per character of `text`; with any other length `confidence`
    stands for all.
    """
    if refusal(text, confidence, label=label):
        return None
    return Plate(plate_chars(text), weights_of(text, confidence, char_confidences))


def weights_of(text: str, confidence: float, char_confidences: Sequence[float] = ()) -> tuple[int, ...]:
    """How sure each of the `plate_chars` of a text is, in thousandths; see `read_plate`."""
    if len(char_confidences) != len(text):
        char_confidences = [confidence] * len(text)
    return tuple(weight(each) for raw, each in zip(text, char_confidences, strict=True) for _ in _plate_char(raw))


def refusal(text: str, confidence: float = 0.0, *, label: str = "") -> str | None:
    """Why a text is no plate, in words; None if it looks like one."""
    if _CLOCK.search(text):
        return "a clock or a date"
    plate = plate_chars(text)
    if not MIN_PLATE_CHARS <= len(plate) <= MAX_PLATE_CHARS:
        return f"{len(plate)} of A-Z and 0-9, plates have {MIN_PLATE_CHARS} to {MAX_PLATE_CHARS}"
    if not may_be_plate(plate):
        return f"{len(plate)} of A-Z and 0-9, and no country writes them so"
    if len(plate) >= _USUAL_CHARS.start and any(char.isdigit() for char in plate):
        return None
    rare = "no digit" if len(plate) >= _USUAL_CHARS.start else f"only {len(plate)} of A-Z and 0-9"
    if "plate" not in label.lower():
        return rare
    return None if confidence >= SURE_OF_LETTERS else f"{rare}, and read with {confidence:.2f}"


def may_be_plate(plate: str) -> bool:
    """Whether a plate may be as long as this: as most are, or as a country writes them."""
    return len(plate) in _USUAL_CHARS or fits_a_format(plate)


def weight(confidence: float) -> int:
    """A confidence as a vote in whole thousandths; even a hopeless reading has one."""
    return max(1, round(confidence * WEIGHT_OF_CERTAINTY))


def fold(plate: str) -> str:
    """The plate without the differences that readers cannot see."""
    return plate.translate(_CONFUSED)


def edits(one: str, other: str, limit: int) -> int:
    """Characters to change, add or leave out (Levenshtein); above `limit` some number above it."""
    return Levenshtein.distance(one, other, score_cutoff=limit)


@lru_cache(maxsize=1 << 12)
def plate_distance(true: str, read: str) -> float:
    """How far a text that was read is from a plate: 1 for a character changed, added or left out.

    One that our reader confuses with the other costs less, the more often it does: see `confusion_cost`.
    """
    previous = [float(column) for column in range(len(read) + 1)]
    for row, char in enumerate(true, 1):
        current = [float(row)]
        for column, against in enumerate(read, 1):
            replaced = previous[column - 1] + confusion_cost(char, against)
            current.append(min(replaced, previous[column] + 1, current[-1] + 1))
        previous = current
    return round(previous[-1], 2)


def most_errors(distance: float) -> int:
    """How many characters may differ within a distance, however little they cost; look-alikes are not counted.

    That is `edits` of two folded plates. Without a bound, a plate with many cheap confusions would be another one, and
    an index could not find it.
    """
    return math.ceil(distance)


@lru_cache(maxsize=1 << 12)
def _plate_char(raw: str) -> str:
    """What one character contributes to a plate: usually itself or nothing; a letter with a mark that letter."""
    letters = normalize("".join(char for char in unicodedata.normalize("NFKD", raw) if not unicodedata.combining(char)))
    return "".join(char for char in letters if char in _PLATE_ALPHABET)


def _is_between_groups(sign: str) -> bool:
    """A blank, a dash or a dot; or a mark on the letter before it."""
    return sign.isspace() or sign in _DOTS or unicodedata.category(sign) == "Pd" or bool(unicodedata.combining(sign))

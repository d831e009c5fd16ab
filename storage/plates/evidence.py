"""How much two texts speak for one plate, and how much for two. Pure: no SQL here.

Evidence is a natural logarithm of likelihoods, as in record linkage (Fellegi and Sunter, A theory for record linkage,
1969): how likely the two are read if they are one plate, to how likely if they are two plates of vehicles that may well
be of one fleet, and so share most of their characters. Above 0 it speaks for one plate. What the reader confuses was
measured, see `confusions`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

from rapidfuzz.distance import Levenshtein

from storage.plates.confusions import ALIKE, p_alike, p_char_right, p_meant, p_text_right
from storage.plates.text import WEIGHT_OF_CERTAINTY, fold

#: How often two vehicles that follow each other share the character at a place: fleets and series do so in most.
_SHARED: Final = 0.7
_MATCH: Final = -math.log(_SHARED)
#: How often another vehicle has just this character where it has another one.
_OTHER: Final = (1 - _SHARED) / 35
#: No two vehicles have the same plate, but one of them may have been misread as the other's.
_SAME_TEXT: Final = 2.0
_LEAST_DOUBT: Final = 0.003
#: Characters side by side that only one of them has were lost by the other's reader, as they may be whatever the plate.
_LOST: Final = -0.3
#: But that each lost one that the other has is rare: BA322XY and BA832XY are not both BA8322XY.
_BOTH_LOST: Final = -3.0
#: A character that is right with this probability was surely read.
SURE: Final = 0.95
#: Of the readings that are wrong, so many have little to do with the plate: a frame, a slogan, a smear was read.
_GARBLED: Final = 0.1


class Text(NamedTuple):
    """A text, how likely each of its characters is right, and how likely it has little to do with its plate, 0..1."""

    chars: str
    right: tuple[float, ...]
    garbled: float


@lru_cache(maxsize=1 << 14)
def as_text(chars: str, weights: tuple[int, ...], count: int = 1) -> Text:
    """The text of `count` equal readings; `weights` are the means of their characters' confidences in thousandths.

    What is misread in one picture is mostly misread in the next one too, so the doubt shrinks with the root of their
    number only.
    """
    fewer = math.sqrt(count)
    right = tuple(1 - (1 - p_char_right(weight / WEIGHT_OF_CERTAINTY)) / fewer for weight in weights)
    return Text(chars, right, _GARBLED * (1 - p_text_right(min(weights) / WEIGHT_OF_CERTAINTY)) / count)


@lru_cache(maxsize=1 << 14)
def text_evidence(one: Text, other: Text) -> float:
    """Of two readings being the same plate, by their texts alone."""
    if one.chars == other.chars:
        return _of_same_text(one, other)
    total, here_only, there_only, runs = 0.0, 0, 0, 0
    for block in Levenshtein.opcodes(one.chars, other.chars):
        here, there = slice(block.src_start, block.src_end), slice(block.dest_start, block.dest_end)
        if block.tag == "equal":
            total += _MATCH * sum(p * q for p, q in zip(one.right[here], other.right[there], strict=True))
        elif block.tag == "replace":
            pairs = zip(one.chars[here], one.right[here], other.chars[there], other.right[there], strict=True)
            total += sum(conflict(*pair) for pair in pairs)
        else:
            here_only += here.stop - here.start
            there_only += there.stop - there.start
            runs += 1
    total += _LOST * runs + _BOTH_LOST * min(here_only, there_only)
    return max(total, math.log(one.garbled + other.garbled))


def surely_differ(one: Text, other: Text) -> bool:
    """Whether both are sure of different characters somewhere; O and 0, I and 1 are drawn alike."""
    return one.chars != other.chars and any(
        _surely_differ(
            one.chars[edit.src_pos], one.right[edit.src_pos], other.chars[edit.dest_pos], other.right[edit.dest_pos]
        )
        for edit in Levenshtein.editops(one.chars, other.chars)
        if edit.tag == "replace"
    )


def differ_only_alike(one: Text, other: Text) -> bool:
    """Whether what they say differs by look-alikes alone; characters that one of them lacks do not count."""
    return all(
        fold(one.chars[edit.src_pos]) == fold(other.chars[edit.dest_pos])
        for edit in Levenshtein.editops(one.chars, other.chars)
        if edit.tag == "replace"
    )


def _surely_differ(one: str, p: float, other: str, q: float) -> bool:
    if one.translate(ALIKE) == other.translate(ALIKE):
        return False
    return p + (1 - p) * p_alike(one) >= SURE and q + (1 - q) * p_alike(other) >= SURE


@lru_cache(maxsize=1 << 14)
def conflict(one: str, p: float, other: str, q: float) -> float:
    """The evidence of one character that was read as two different ones, with these probabilities of being right."""
    misread = p * (1 - q) * p_meant(one, other) + q * (1 - p) * p_meant(other, one)
    same = misread + (1 - p) * (1 - q) / 34
    return math.log(same / (_SHARED * same + _OTHER))


def _of_same_text(one: Text, other: Text) -> float:
    products = [p * q for p, q in zip(one.right, other.right, strict=True)]
    doubt = _LEAST_DOUBT + sum(1 - product for product in products)
    return max(_MATCH * sum(products), _SAME_TEXT - math.log(doubt))

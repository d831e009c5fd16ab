"""What many readings of one plate say together.

Votes are kept by text and are sums of whole thousandths, so neither the order of readings nor their division into
bundles can change them. The verdict is the text from which all readings differ least, as lists of characters that were
misread, lost or gained: a plate that is covered here and there is whole in none of its readings, but in their
consensus. It is found by going on from the surest texts, one character at a time (a generalized median string:
Kohonen, Median strings, Pattern Recognition Letters, 1985; systems of recognizers do the same to words: Fiscus, ROVER,
1997).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple, NotRequired, TypedDict

from rapidfuzz.distance import Levenshtein

from storage.plates.confusions import p_alike
from storage.plates.text import WEIGHT_OF_CERTAINTY, may_be_plate

#: Of more different texts the least sure ones are forgotten.
MAX_TEXTS: Final = 32
#: Negative logarithms of how likely a reader does this to a character. On drawn passages ours lost 2 to 12 in 100
#: (what is covered is lost) and gained 1 in 1,000; a character read with confidence c was another one in 1 - c.
_MISREAD: Final = 1.0
_LOST: Final = 2.0
_GAINED: Final = 3.2
#: Nobody is surer than this that a character is what it was read as.
_LEAST_DOUBT: Final = 0.02
_STARTS: Final = 2
#: What several readings were each sure of is believed before anything that nobody read.
SEVERAL: Final = 2
ENOUGH_TO_KNOW_MORE: Final = 3
#: What nobody read must be nearer to all readings than what somebody did by so much: twelve times as likely.
WORTH_COMPOSING: Final = 2.5
SURE_WEIGHT: Final = 900
_CHANGES: Final = 12


class TextVotes(TypedDict):
    """All readings of one text. JSON-able."""

    count: int
    weights: list[int]  #: per character, the sum of its confidences in thousandths
    surest: NotRequired[int]  #: of the surest of them, the weight of its least sure character; not in old rows


#: Text -> its votes.
Votes = dict[str, TextVotes]


class Origin(StrEnum):
    """Where the plate of a passage comes from."""

    READ = "read"  #: at least one reading says just this
    COMPOSED = "composed"  #: none does: it is put together from readings that each lack something
    CORRECTED = "corrected"  #: somebody said so, whatever was read


class Verdict(NamedTuple):
    """`confidence`: how likely the plate is right, 0..1."""

    text: str
    confidence: float
    origin: Origin


class _Edit(NamedTuple):
    """A change of a text: `tag` is Levenshtein's, `at` a place in it, `char` what comes there."""

    tag: str
    at: int
    char: str


def vote(text: str, weights: tuple[int, ...]) -> Votes:
    """The votes of one reading; one weight a character."""
    return {text: {"count": 1, "weights": list(weights), "surest": _least_sure(text, weights)}}


def add_votes(*parts: Votes) -> Votes:
    """What they say together."""
    by_text: dict[str, list[TextVotes]] = {}
    for votes in parts:
        for text, its in votes.items():
            by_text.setdefault(text, []).append(its)
    total = {text: _sum(its) for text, its in by_text.items()}
    if len(total) > MAX_TEXTS:
        return {text: total[text] for text in _ranked(total)[:MAX_TEXTS]}
    return total


def with_vote(votes: Votes, text: str, weights: tuple[int, ...]) -> Votes:
    """What they say together with one more reading."""
    its = votes.get(text)
    if its is None:
        return add_votes(votes, vote(text, weights))
    surest = max(its.get("surest", min(its["weights"]) // its["count"]), _least_sure(text, weights))
    sums = [weight + more for weight, more in zip(its["weights"], weights, strict=True)]
    again: TextVotes = {"count": its["count"] + 1, "weights": sums, "surest": surest}
    return votes | {text: again}


def surest(votes: Votes) -> dict[str, float]:
    """How sure the surest reading of each text was of its least sure character, 0..1."""
    return {
        text: its.get("surest", min(its["weights"]) // its["count"]) / WEIGHT_OF_CERTAINTY
        for text, its in votes.items()
    }


def _least_sure(text: str, weights: tuple[int, ...]) -> int:
    """The weight of the character that a reading is least sure of, whichever of those that are drawn alike it is."""
    return min(
        round(weight + (WEIGHT_OF_CERTAINTY - weight) * p_alike(char))
        for char, weight in zip(text, weights, strict=True)
    )


def without(votes: Votes, other: Votes) -> Votes:
    """What is left of votes without some of them; what was forgotten stays forgotten."""
    left: Votes = {}
    for text, its in votes.items():
        gone = other.get(text, {"count": 0, "weights": [0] * len(text)})
        if its["count"] > gone["count"]:
            weights = [weight - less for weight, less in zip(its["weights"], gone["weights"], strict=True)]
            left[text] = its | {"count": its["count"] - gone["count"], "weights": weights}
    return left


def weight_of(votes: TextVotes) -> int:
    """How much the readings of one text weigh: their number, each by how sure it was."""
    return sum(votes["weights"]) // len(votes["weights"])


def count_votes(votes: Votes, *, may_compose: bool = True) -> Verdict:
    """The consensus of all readings; unless it `may_compose`, the reading from which all others differ least."""
    text = _consensus(votes) if may_compose else _nearest(votes)
    if text not in votes:
        nearest = _nearest(votes)
        is_worth_it = _distance(nearest, votes) - _distance(text, votes) >= WORTH_COMPOSING
        text = text if is_worth_it and not _is_sure(nearest, votes) else nearest
    confidence = _agreement(text, votes)
    if may_compose:
        confidence = _of_readings(confidence, sum(its["count"] for its in votes.values()))
    return Verdict(text, confidence, Origin.READ if text in votes else Origin.COMPOSED)


def _of_readings(agreement: float, count: int) -> float:
    """How likely a plate is right on which so many readings of a film agree so much.

    One picture of a film that alone shows a plate is mostly a bad one; several that agree know more than each of them.
    The exponents were fitted to drawn clips: `make passages` tells how far confidence and rightness are apart.
    """
    if count == 1:
        return agreement**2
    return agreement if count < ENOUGH_TO_KNOW_MORE else 1 - (1 - agreement) ** 1.6


def _sum(parts: list[TextVotes]) -> TextVotes:
    """Votes for one text."""
    weights = [sum(weight) for weight in zip(*(votes["weights"] for votes in parts), strict=True)]
    return {
        "count": sum(votes["count"] for votes in parts),
        "weights": weights,
        "surest": max(votes.get("surest", min(votes["weights"]) // votes["count"]) for votes in parts),
    }


def _ranked(votes: Votes) -> list[str]:
    """The texts, those read most and surest first."""
    return sorted(votes, key=lambda text: (-weight_of(votes[text]), text))


def _consensus(votes: Votes) -> str:
    ranked = _ranked(votes)
    if len(ranked) == 1:
        return ranked[0]
    return min(_improved(text, votes) for text in ranked[:_STARTS])[1]


def _nearest(votes: Votes) -> str:
    """The text that was read from which all readings differ least."""
    return min(_ranked(votes), key=lambda text: _distance(text, votes)) if len(votes) > 1 else next(iter(votes))


def _is_sure(text: str, votes: Votes) -> bool:
    """Whether several readings have just this, and are sure of each of its characters."""
    count = votes[text]["count"]
    return count >= SEVERAL and min(votes[text]["weights"]) >= SURE_WEIGHT * count


def _improved(text: str, votes: Votes) -> tuple[float, str]:
    """The text changed for as long as that brings it nearer to all readings, and how far from them it is then."""
    best = (_distance(text, votes), text)
    while nearer := min(((_distance(each, votes), each) for each in _changed(best[1], votes)), default=None):
        if nearer >= best:
            break
        best = nearer
    return best


def _distance(text: str, votes: Votes) -> float:
    """Of all readings, if the plate were `text`. Summed in a fixed order: sums of floats depend on it."""
    return sum(votes[read]["count"] * _cost(text, read, votes[read]) for read in sorted(votes))


def _cost(text: str, read: str, votes: TextVotes) -> float:
    total = 0.0
    for edit in Levenshtein.editops(text, read):
        if edit.tag == "delete":
            total += _LOST
        else:
            confidence = votes["weights"][edit.dest_pos] / (votes["count"] * WEIGHT_OF_CERTAINTY)
            total += (_MISREAD if edit.tag == "replace" else _GAINED) - math.log(max(_LEAST_DOUBT, 1 - confidence))
    return total


def _changed(text: str, votes: Votes) -> Iterator[str]:
    """The text with one of the changes that most readings ask for."""
    asked: Counter[_Edit] = Counter()
    for read in sorted(votes):
        for edit in Levenshtein.editops(text, read):
            char = "" if edit.tag == "delete" else read[edit.dest_pos]
            asked[_Edit(edit.tag, edit.src_pos, char)] += votes[read]["count"]
    for edit, _ in sorted(asked.items(), key=lambda item: (-item[1], item[0]))[:_CHANGES]:
        changed = text[: edit.at] + edit.char + text[edit.at + (edit.tag != "insert") :]
        if may_be_plate(changed):
            yield changed


def _agreement(text: str, votes: Votes) -> float:
    """That of the least sure character of `text`: a plate is as right as this one.

    A reading that lost a character says nothing about it; of what nobody saw nobody is sure.
    """
    agreed, asked = [0] * len(text), [0] * len(text)
    for read, its in votes.items():
        for block in Levenshtein.opcodes(text, read):
            for place in range(block.src_start, block.src_end if block.tag != "delete" else block.src_start):
                asked[place] += its["count"]
                if block.tag == "equal":
                    agreed[place] += its["weights"][block.dest_start + place - block.src_start]
    return min(1.0, *(a / (WEIGHT_OF_CERTAINTY * n) if n else 0.0 for a, n in zip(agreed, asked, strict=True)))

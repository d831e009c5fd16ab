"""What many readings of one plate say together: every reading votes for its characters with its confidences.

Votes are kept by the length of the reading and are sums of whole thousandths, so neither the order of readings nor
their division into bundles can change them. A recognizer that gives alternatives for a character may vote for several
at one position: a position is a mapping of characters to weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

from storage.plates import WEIGHT_OF_CERTAINTY

Chars = list[dict[str, int]]


class LengthVotes(TypedDict):
    """Votes of all readings of one length. JSON-able; weights are thousandths."""

    count: int
    weight: int
    chars: Chars  #: per position: character -> weight


#: Length of the text -> votes. JSON knows no integer keys, hence strings.
Votes = dict[str, LengthVotes]


class Verdict(NamedTuple):
    """`confidence`: how sure the voted characters are on average; who saw another character there counts as 0."""

    text: str
    confidence: float


def vote(text: str, weights: Sequence[int], weight: int) -> Votes:
    """The votes of one reading. `weights` are those of its characters, `weight` is that of the whole."""
    chars = [{char: each} for char, each in zip(text, weights, strict=True)]
    return {str(len(text)): {"count": 1, "weight": weight, "chars": chars}}


def add_votes(one: Votes, other: Votes) -> Votes:
    total: Votes = dict(one)
    for length, votes in other.items():
        mine = total.get(length)
        total[length] = votes if mine is None else _add_length(mine, votes)
    return total


def count_votes(votes: Votes) -> Verdict:
    """The surest length wins, of equals the longer; then the surest character at each position, of equals the first.

    Readings of another length lost or gained characters: they vote with those that can be aligned.
    """
    length = max(votes, key=lambda length: (votes[length]["weight"], int(length)))
    winners = votes[length]
    chars, readings = winners["chars"], winners["count"]
    for other in sorted(votes.keys() - {length}):
        chars = _with_aligned(chars, votes[other]["chars"])
    text = "".join(max(sorted(position), key=position.__getitem__) for position in chars)
    agreed = sum(position.get(char, 0) for char, position in zip(text, winners["chars"], strict=True))
    return Verdict(text, min(1.0, agreed / (WEIGHT_OF_CERTAINTY * readings * len(chars))))


def _with_aligned(chars: Chars, others: Chars) -> Chars:
    """`chars` and the votes of `others`, which has another length, at the positions that fit best together."""
    total = list(chars)
    for here, there in _align(chars, others):
        mine, its = total[here], others[there]
        total[here] = {char: mine.get(char, 0) + its.get(char, 0) for char in mine.keys() | its.keys()}
    return total


def _align(one: Chars, other: Chars) -> list[tuple[int, int]]:
    """Positions that belong together: the alignment under which the most weight agrees (Needleman and Wunsch)."""
    rows, columns = len(one), len(other)
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for row in range(rows - 1, -1, -1):
        for column in range(columns - 1, -1, -1):
            together = best[row + 1][column + 1] + _agreement(one[row], other[column])
            best[row][column] = max(together, best[row + 1][column], best[row][column + 1])
    pairs: list[tuple[int, int]] = []
    row = column = 0
    while row < rows and column < columns:
        # Where nothing agrees the longer one gives way, so that what is left over still has somewhere to go.
        if best[row][column] == best[row + 1][column + 1] + _agreement(one[row], other[column]):
            pairs.append((row, column))
            row, column = row + 1, column + 1
        elif best[row][column] == best[row + 1][column]:
            row += 1
        else:
            column += 1
    return pairs


def _agreement(one: dict[str, int], other: dict[str, int]) -> float:
    """How much of what either says the other says too, 0..1."""
    shared = sum(min(one[char], other[char]) for char in one.keys() & other.keys())
    return shared / max(1, min(sum(one.values()), sum(other.values())))


def _add_length(one: LengthVotes, other: LengthVotes) -> LengthVotes:
    chars = [
        {char: a.get(char, 0) + b.get(char, 0) for char in sorted(a.keys() | b.keys())}
        for a, b in zip(one["chars"], other["chars"], strict=True)
    ]
    return {"count": one["count"] + other["count"], "weight": one["weight"] + other["weight"], "chars": chars}

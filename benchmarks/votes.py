"""How a passage gets its plate: `python -m benchmarks.votes [--passages N] [--seed S]`.

Synthetic passages: a random plate is read several times by a reader that mixes up characters (most often those that
look alike), loses and adds some, and is less sure where it is wrong. Printed: the share of passages whose plate is
right, for a single reading and for four ways to vote; `consensus` is what passages do.
"""

from __future__ import annotations

import argparse
import random
import string
from collections import Counter
from collections.abc import Callable

from storage.plates.text import weight
from storage.plates.votes import Votes, add_votes, count_votes, vote

Read = tuple[str, list[float]]
SIGNS = string.ascii_uppercase + string.digits
ALIKE = {a: b for pair in ("O0", "I1", "B8", "S5", "Z2", "G6") for a, b in (pair, pair[::-1])}


def read(plate: str, error_rate: float, chance: random.Random) -> Read:
    """One reading. A right character is sure (0.6..1), a wrong one less (0.3..0.95)."""
    signs: list[tuple[str, float]] = []
    for sign in plate:
        if chance.random() >= error_rate:
            signs.append((sign, chance.betavariate(8, 1.5)))
            continue
        kind = chance.random()
        unsure = chance.betavariate(4, 3)
        if kind < 0.45:
            continue  # lost
        if kind < 0.47:
            signs += [(sign, chance.betavariate(8, 1.5)), (chance.choice(SIGNS), unsure)]  # one too many
        else:
            alike = chance.random() < 0.6 and sign in ALIKE
            signs.append((ALIKE[sign] if alike else chance.choice(SIGNS), unsure))
    return "".join(sign for sign, _ in signs), [sure for _, sure in signs]


def most_frequent(reads: list[Read]) -> str:
    counts = Counter(text for text, _ in reads)
    return max(sorted(counts), key=counts.__getitem__)


def surest_reading(reads: list[Read]) -> str:
    return max(reads, key=lambda one: sum(one[1]) / max(1, len(one[1])))[0]


def _sum(reads: list[Read]) -> Votes:
    total: Votes = {}
    for text, sure in reads:
        if text:
            total = add_votes(total, vote(text, tuple(map(weight, sure))))
    return total


def by_position(reads: list[Read]) -> str:
    """The surest character at each position of the readings of one length: that with the most readings."""
    reads = [one for one in reads if one[0]]
    lengths = Counter(len(text) for text, _ in reads)
    length = max(sorted(lengths), key=lengths.__getitem__, default=0)
    chars: list[Counter[str]] = [Counter() for _ in range(length)]
    for text, sure in reads:
        if len(text) == length:
            for position, char, each in zip(chars, text, sure, strict=True):
                position[char] += weight(each)
    return "".join(max(sorted(position), key=position.__getitem__) for position in chars)


def consensus(reads: list[Read]) -> str:
    votes = _sum(reads)
    return count_votes(votes).text if votes else ""


WAYS: dict[str, Callable[[list[Read]], str]] = {
    "one reading": lambda reads: reads[0][0],
    "surest reading": surest_reading,
    "most frequent": most_frequent,
    "by position": by_position,
    "consensus": consensus,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.votes", description=__doc__)
    parser.add_argument("--passages", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"{'readings':>8} {'errors':>7} " + " ".join(f"{name:>15}" for name in WAYS))
    for readings in (3, 5, 10):
        for error_rate in (0.03, 0.08, 0.15):
            chance = random.Random(options.seed)
            right: Counter[str] = Counter()
            for _ in range(options.passages):
                plate = "".join(chance.choice(SIGNS) for _ in range(7))
                reads = [read(plate, error_rate, chance) for _ in range(readings)]
                right.update(name for name, way in WAYS.items() if way(reads) == plate)
            shares = " ".join(f"{right[name] / options.passages:>15.1%}" for name in WAYS)
            print(f"{readings:>8} {error_rate:>7.0%} {shares}")


if __name__ == "__main__":
    main()

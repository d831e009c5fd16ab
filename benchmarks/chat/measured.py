"""How some answers went."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

#: What is asked; each prompt another, as prompts that begin alike are read once.
_ABOUT: Final = ("rain", "bridges", "clocks", "bread", "whales", "trains", "glass", "maps")


def prompts(count: int, what: str = "Tell me") -> list[str]:
    return [f"{what} {number} things about {_ABOUT[number % len(_ABOUT)]}, one a line." for number in range(count)]


@dataclass
class Answers:
    tokens: int = 0
    seconds: float = 0.0
    first_ms: list[float] = field(default_factory=list[float])  #: from a question to the first token, of each
    whole_ms: list[float] = field(default_factory=list[float])  #: to the end, of each

    @property
    def tokens_a_second(self) -> float:
        return self.tokens / self.seconds


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]

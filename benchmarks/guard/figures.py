"""What is measured of a part of the hot path: its time to that of something bare, or a count that is exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: Makes a call ready. The call alone is measured; it takes a few milliseconds at most.
Ready = Callable[[], Callable[[], Any]]


@dataclass(frozen=True)
class Ratio:
    """CPU time of `ours` to that of `bare`, which is of the same kind: what slows a machine down slows both alike."""

    name: str
    what: str  #: what is compared with what
    where: str  #: where to look first
    ours: Ready
    bare: Ready
    pairs: int  #: how often the two take turns in a round


@dataclass(frozen=True)
class Count:
    """How far a call of `ours` moves a counter that nothing else moves."""

    name: str
    what: str
    where: str
    ours: Ready
    read: Callable[[], int]


Figure = Ratio | Count

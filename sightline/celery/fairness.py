"""Whose turn it is when work of several lanes waits: the highest lane's, but no lane waits for ever.

The same rule in the pop, in a batch and in a group of writes: a lane that `PATIENCE` others were preferred to goes
first. So of nine that are taken, one at least is of each lane that waits, and of eight where only two lanes wait.
"""

from __future__ import annotations

from typing import Final

from sightline.pipelines.queues import LANE_PRIORITY
from sightline.types import Lane

#: The highest first.
LANES: Final = tuple(sorted(LANE_PRIORITY, key=lambda lane: LANE_PRIORITY[lane]))
#: So many of higher lanes are taken before one of a lower lane that waits.
PATIENCE: Final = 7

_BELOW: Final = {lane: LANES[rank + 1 :] for rank, lane in enumerate(LANES)}


class Turns:
    """Not safe to share between threads."""

    def __init__(self) -> None:
        self._passed = dict.fromkeys(LANES, 0)

    def order(self) -> tuple[Lane, ...]:
        """All lanes, the one to take from first. What has nothing is left out by whoever takes."""
        if max(self._passed.values()) < PATIENCE:
            return LANES
        return tuple(sorted(LANES, key=lambda lane: (self._passed[lane] < PATIENCE, LANE_PRIORITY[lane])))

    def together(self) -> tuple[int, list[tuple[Lane, int]]]:
        """How many to take at once, and in which order how many of each lane, so that none is passed over longer."""
        late = [lane for lane in LANES if self._passed[lane] >= PATIENCE]
        left = PATIENCE - len(late) - max(passed for lane, passed in self._passed.items() if lane not in late)
        order = [(lane, 1) for lane in late] + [(lane, left) for lane in LANES if left > 0]
        return len(late) + max(0, left), order

    def took(self, lane: Lane) -> None:
        """Note what was taken."""
        self._passed[lane] = 0
        for lower in _BELOW[lane]:
            self._passed[lower] += 1


def threads_for(concurrency: int) -> int:
    """The threads of a worker that may hold `concurrency` jobs of bulk: a quarter more, for the other lanes alone."""
    return concurrency + max(1, concurrency // 4)


def lane_of(priority: int | None) -> Lane:
    """The lane in whose list a message with this priority lies on Redis."""
    return next(lane for lane in reversed(LANES) if LANE_PRIORITY[lane] <= (priority or 0))

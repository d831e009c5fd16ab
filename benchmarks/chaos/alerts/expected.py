"""What somebody should be called for, fault by fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Alerts:
    """Names without their `Sightline`. `passing`: it is over after some seconds. `lasting`: it lasts for 25 minutes;
    none where the fault is a moment. `beside`: what may come of it, by what there is to do just then.
    """

    passing: frozenset[str] = frozenset()
    lasting: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()

    def holds(self, found: Alerts) -> bool:
        """Whether these fired, and no others."""
        return (
            self.passing <= found.passing <= self.passing | self.beside
            and self.lasting <= found.lasting <= self.lasting | self.beside
        )


def _alerts(*, passing: str = "", lasting: str = "", beside: str = "") -> Alerts:
    return Alerts(frozenset(passing.split()), frozenset(lasting.split()), frozenset(beside.split()))


_NOTHING: Final = _alerts()
_ROLE_DOWN: Final = _alerts(lasting="RoleDown")
_STORE_DOWN: Final = _alerts(lasting="StoreDown")
_LETTERS: Final = _alerts(passing="DeadLetters")
_SINK_WAITS: Final = _alerts(lasting="SinkWaits")

EXPECTED: Final[dict[str, Alerts]] = {
    "kill-detect": _ROLE_DOWN,
    "kill-ocr": _ROLE_DOWN,
    "kill-write": _ROLE_DOWN,
    "kill-producer": _NOTHING,  # whoever sends has no metrics of ours
    "kill-deliver": _ROLE_DOWN,
    "kill-camera": _alerts(lasting="RoleDown RoleGone"),  # there is one
    "term-kill": _NOTHING,
    "freeze": _ROLE_DOWN,
    "slow-model": _NOTHING,
    "memory-short": _alerts(beside="DeadLetters FramesStale QueueStands WorkWaitsLong"),
    "poison": _LETTERS,
    "kill-join": _NOTHING,
    "kill-merge": _NOTHING,
    "kill-shard": _NOTHING,
    "kill-stream": _NOTHING,
    "branch-fails": _NOTHING,  # a bad image is its sender's
    "redis-kill": _STORE_DOWN,
    "redis-disconnect": _NOTHING,
    "redis-refuses": _alerts(beside="FramesStale"),  # what one user may not do is in the log
    "redis-full": _alerts(lasting="RedisFull"),
    "garbage": _LETTERS,
    "unknown-task": _LETTERS,
    "foreign": _LETTERS,
    "database-kill": _STORE_DOWN,
    "database-read-only": _STORE_DOWN,
    "database-locked": _STORE_DOWN,
    "frames-fail": _STORE_DOWN,
    "disk-full": _STORE_DOWN,
    "receiver-down": _SINK_WAITS,
    "receiver-slow": _SINK_WAITS,
    "receiver-500": _SINK_WAITS,
    "receiver-cut": _SINK_WAITS,
    "camera-flap": _alerts(lasting="CamerasAway"),
    "clock-step": _NOTHING,
}

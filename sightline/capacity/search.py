"""How many cameras, what saturates first, and what one more worker gives: by simulating again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sightline.capacity.cameras import Cameras
from sightline.capacity.simulation import Outcome, Plan, simulate

_MOST = 100_000
_FINE = 0.005  #: a search ends when it knows the number to this share
_OVERWRITTEN = 0.01  #: frames that no bundle took, at most


@dataclass(frozen=True)
class Goal:
    """What a camera needs."""

    fps: float
    p95_ms: float  #: from published to stored, at most


@dataclass(frozen=True)
class Answer:
    cameras: int
    outcome: Outcome  #: with so many, or with a single one if not even that fits
    one_more: Mapping[str, int]  #: cameras that another worker of a role adds


def answer(plan: Plan, goal: Goal, note: Callable[[], None] = lambda: None) -> Answer:
    """Search for the plan, and once more with another worker of each role. `note` is called after each simulation."""
    cameras = most_cameras(plan, goal, note=note)
    gains: dict[str, int] = {}
    for role in plan.times.roles:
        more = replace(plan, workers=dict(plan.workers) | {role: plan.workers[role] + 1})
        gains[role] = max(0, most_cameras(more, goal, at_least=cameras, note=note) - cameras)
    return Answer(cameras, run(plan, goal, max(1, cameras)), gains)


def most_cameras(plan: Plan, goal: Goal, *, at_least: int = 0, note: Callable[[], None] = lambda: None) -> int:
    """The largest number of cameras whose frames are stored in time; `at_least` are known to fit."""

    def fits(cameras: int) -> bool:
        outcome = run(plan, goal, cameras)
        note()
        return outcome.p95_ms <= goal.p95_ms and outcome.overwritten <= _OVERWRITTEN

    low, step = at_least, 1
    while low + step <= _MOST and fits(low + step):
        low, step = low + step, step * 2
    high = low + step
    while high - low > max(1, int(low * _FINE)):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def run(plan: Plan, goal: Goal, cameras: int, seed: int = 1) -> Outcome:
    """Simulate so many cameras, for as long as it takes to see the goal met or missed."""
    hopeless_ms = 3 * goal.p95_ms + 1000
    seconds = max(20.0, 10 * goal.p95_ms / 1000)
    return simulate(plan, Cameras(cameras, goal.fps, seed), seconds=seconds, hopeless_ms=hopeless_ms, seed=seed)

"""Whether a machine is to have one worker more or one less, of one kind: decided from what was seen, and nothing else.

Growing is quick and shrinking slow. A worker that starts needs some seconds for its models, so that after each change
there is a while in which nothing changes: else all would be started for a backlog that two can do. Where the last one
that went was missed, the next one stays twice as long: with a load between two workers and three one would come and
go for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

_OLD_S: Final = 5.0  #: what waits longer than this is too much for the workers there are
_BEHIND_S: Final = 4.0  #: they are behind for this long: a burst is done by then
_SETTLE_S: Final = 20.0  #: from a change until it shows
_MISSED_TIMES: Final = 10  #: of the idle time, in which one that went is missed
_MOST_PATIENCE: Final = 32
_MEMORY_SHARE: Final = 1.25  #: of what a worker has now, to be free for one more


@dataclass(frozen=True)
class Limits:
    """What holds for one kind of worker."""

    least: int
    most: int
    holds: int  #: messages that one worker holds at once
    cores: float = 0.5  #: to be free for one more; 0: whatever others do
    idle_s: float = 60.0  #: so long there is too little to do for all before one ends


@dataclass(frozen=True)
class Look:
    """What was seen at one moment."""

    at_s: float
    workers: int  #: that take work
    leaving: int  #: that only finish what they hold
    waiting: int  #: messages in the queues of this kind
    oldest_s: float  #: so long the oldest of them waits; 0: not known
    held: int  #: messages in work, over all kinds of workers
    free_cores: float
    free_bytes: int
    worker_bytes: int = 0  #: the memory of the largest worker of this kind


@dataclass(frozen=True)
class Past:
    """What of earlier looks counts."""

    behind_since_s: float | None = None
    idle_since_s: float | None = None
    changed_at_s: float = float("-inf")
    was_shrunk: bool = False  #: by the last change
    patience: int = 1  #: times the idle time before one goes


@dataclass(frozen=True)
class Decision:
    """`change` is the number of workers to add. `why` is for people; empty: there is nothing to say."""

    change: Literal[-1, 0, 1] = 0
    why: str = ""


def decide(limits: Limits, look: Look, past: Past) -> tuple[Decision, Past]:
    """What to do now, and what the next look is to know."""
    past = _remember(limits, look, past)
    if look.workers < limits.least:
        return Decision(1, "fewer than the least run"), _changed(look, past)
    if look.at_s - past.changed_at_s < _SETTLE_S:
        return Decision(), past
    if past.behind_since_s is not None and look.at_s - past.behind_since_s >= _BEHIND_S:
        return _grow(limits, look, past)
    if past.idle_since_s is not None and look.at_s - past.idle_since_s >= limits.idle_s * past.patience:
        why = f"nothing waited for {look.at_s - past.idle_since_s:.0f} s; what is in work fewer can do"
        patience = 1 if past.was_shrunk else past.patience  # nobody missed the last one
        return Decision(-1, why), replace(_changed(look, past), was_shrunk=True, patience=patience)
    return Decision(), past


def _remember(limits: Limits, look: Look, past: Past) -> Past:
    """Since when they are behind, and since when there are too many."""
    is_behind = look.oldest_s >= _OLD_S or look.waiting > look.workers * limits.holds
    # Half of what the others hold is left free, so that the end of one is not the begin of another.
    is_idle = not look.waiting and look.workers > limits.least and look.held * 2 <= (look.workers - 1) * limits.holds
    return replace(
        past,
        behind_since_s=_since(past.behind_since_s, look.at_s, holds=is_behind and look.waiting > 0),
        idle_since_s=_since(past.idle_since_s, look.at_s, holds=is_idle),
    )


def _since(before_s: float | None, now_s: float, *, holds: bool) -> float | None:
    if not holds:
        return None
    return now_s if before_s is None else before_s


def _grow(limits: Limits, look: Look, past: Past) -> tuple[Decision, Past]:
    behind = backlog(look)
    if look.workers + look.leaving >= limits.most:
        return Decision(why=f"{behind}; {limits.most} are the most"), past
    if missing := " and ".join(_missing(limits, look)):
        return Decision(why=f"{behind}; one more would not help: {missing}"), past
    is_missed = past.was_shrunk and look.at_s - past.changed_at_s < _MISSED_TIMES * limits.idle_s * past.patience
    patience = min(_MOST_PATIENCE, past.patience * 2) if is_missed else past.patience
    why = f"{behind}; {look.free_cores:.1f} cores and {look.free_bytes / 1e9:.1f} GB are free"
    return Decision(1, why), replace(_changed(look, past), patience=patience)


def backlog(look: Look) -> str:
    """What waits, in words."""
    if not look.waiting:
        return "nothing waits"
    return f"{look.waiting} messages wait" + (f", the oldest for {look.oldest_s:.0f} s" if look.oldest_s else "")


def _missing(limits: Limits, look: Look) -> Iterator[str]:
    if look.free_cores < limits.cores:
        yield f"{look.free_cores:.1f} cores are free, and it wants {limits.cores:g}"
    if look.free_bytes < look.worker_bytes * _MEMORY_SHARE:
        yield f"{look.free_bytes / 1e9:.1f} GB are free, and one has {look.worker_bytes / 1e9:.1f} GB"


def _changed(look: Look, past: Past) -> Past:
    return replace(past, behind_since_s=None, idle_since_s=None, changed_at_s=look.at_s, was_shrunk=False)

"""One fault and what happened around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.chaos.faults import Fault


@dataclass
class Round:
    """Frames that were published around one fault, and events that came until the next. Times are epoch seconds."""

    number: int
    fault: Fault
    struck_at: float = 0.0
    missed: str = ""  #: why nothing went wrong in it
    quiet: bool = True  #: nothing was open any more when it ended
    accepted: int = 0
    refused: int = 0
    lost: int = 0
    duplicated: int = 0
    innocent_dead: int = 0  #: dead letters of jobs without a poisoned picture
    repeated_work: int = 0  #: stages that began once more on a job
    events: int = 0  #: that the receiver acted on
    events_again: int = 0  #: that it had before, and skipped
    acted_twice: int = 0
    #: From the strike to the first event of a job that was published after it.
    goes_on_s: float | None = None
    #: From the strike to the last event of a job that came late; 0: none did.
    recovered_s: float | None = None


def round_at(rounds: Sequence[Round], at: float) -> Round:
    """The round that ran at an epoch time."""
    return max((this for this in rounds if this.struck_at <= at), key=lambda this: this.number, default=rounds[0])

"""What a stage needs to be loss-free: begin, hand over, settle.

The order is the promise. A stage begins (the ledger gives it time), works, sends the next stage's message and only
then returns, which acknowledges its own. The last stage settles the ledger after the SQL commit. A crash anywhere
repeats work; it never forgets any.
"""

from __future__ import annotations

import itertools
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from sightline.broker import Broker, task_id
from sightline.errors import BrokerUnavailableError
from sightline.ids import content_id
from sightline.ledger import Ledger, Outcomes
from sightline.messages import Job, Message
from sightline.queues import DEAD_LETTER_TASK
from sightline.types import FrameResult, Lane

log = logging.getLogger(__name__)

T = TypeVar("T")

_BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)


class Delivery:
    """The ledger and the broker, as a stage uses them."""

    def __init__(self, ledger: Ledger, broker: Broker) -> None:
        self.ledger = ledger
        self.broker = broker

    def begin(self, job: Job, *, redelivered: bool = False) -> int:
        """Start a stage, waiting for Redis as long as it takes. See `Ledger.begin` for what it returns."""
        return _patiently(lambda: self.ledger.begin(job, redelivered=redelivered), "begin", job.job_id)

    def hand_over(self, task: str, job: Job, results: Iterable[FrameResult]) -> None:
        """Send the next stage's message. Blocks until the broker has it: that is the back-pressure."""
        message = Message(job=job, results=tuple(results)).dump()
        identity = task_id(job.job_id, task)
        _patiently(
            lambda: self.broker.send(task, message, task_id=identity, lane=job.lane), f"hand over to {task}", job.job_id
        )

    def bury_message(self, letter: dict[str, Any]) -> None:
        """Send a message that is no job to the dead letters. Its id comes from its content, so it is kept once."""
        identity = task_id(content_id(json.dumps(letter, sort_keys=True, default=str)), DEAD_LETTER_TASK)
        _patiently(
            lambda: self.broker.send(DEAD_LETTER_TASK, letter, task_id=identity, lane=Lane.BULK), "bury", identity
        )

    def settle(self, job: Job, outcomes: Outcomes) -> bool:
        """Close the job in the ledger. Returns False if it was closed before."""
        return _patiently(lambda: self.ledger.settle(job.job_id, outcomes), "settle", job.job_id)


def dropped_outcomes(results: Iterable[FrameResult]) -> dict[str, Counter[str]]:
    """Outcomes of frames that a rule dropped, per source."""
    outcomes: dict[str, Counter[str]] = {}
    for result in results:
        outcomes.setdefault(result.frame.source_id, Counter())[f"dropped:{result.dropped}"] += 1
    return outcomes


def _patiently(call: Callable[[], T], what: str, job_id: str) -> T:
    """Call until the broker answers. The message stays unacknowledged and leased meanwhile, so nothing is lost."""
    for waited in itertools.count():
        try:
            return call()
        except BrokerUnavailableError as error:
            pause_s = _BACKOFF_S[min(waited, len(_BACKOFF_S) - 1)]
            log.warning("job %s: cannot %s yet, again in %.1f s: %s", job_id, what, pause_s, error)
            time.sleep(pause_s)
    raise AssertionError("unreachable")

"""What a stage needs to be loss-free: begin, hand over, settle.

The order is the promise. A stage begins (the ledger gives it time), works, sends the next stage's message and only
then returns, which acknowledges its own. The last stage settles the ledger after the SQL commit. A crash anywhere
repeats work; it never forgets any.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sightline.delivery.broker import Broker, Payload, task_id
from sightline.delivery.ledger import DropEnd, Ledger, Outcomes
from sightline.ids import content_id
from sightline.pipelines.queues import DEAD_LETTER_TASK
from sightline.retry import Patience
from sightline.types import ItemResult, Lane
from sightline.wire.messages import Job, Message


class Delivery:
    """The ledger and the broker, as a stage uses them. Every call waits for Redis as long as it takes."""

    def __init__(self, ledger: Ledger, broker: Broker, patience: Patience) -> None:
        self.ledger = ledger
        self.broker = broker
        self.patience = patience

    def begin(self, job: Job, *, redelivered: bool = False, to_write: bool = False, held_s: float | None = None) -> int:
        """Start a stage, or ask for more time for it. See `Ledger.begin`."""
        begun = self.patience.insist(
            lambda: self.ledger.begin(job, redelivered=redelivered, to_write=to_write, held_s=held_s),
            f"begin job {job.job_id}",
        )
        assert begun is not None
        return begun

    def hand_over(
        self, task: str, job: Job, results: Iterable[ItemResult], shards: Mapping[str, int] | None = None
    ) -> None:
        """Send the next stage's message. Blocks until the broker has it: that is the back-pressure."""
        message = Message(job=job, results=tuple(results), shards=dict(shards) if shards else None).pack()
        self._send(task, message, task_id(job.job_id, task), job.lane)

    def bury_message(self, letter: dict[str, Any]) -> None:
        """Send a message that is no job to the dead letters. Its id comes from its content, so it is kept once."""
        identity = content_id(json.dumps(letter, sort_keys=True, default=str))
        self._send(DEAD_LETTER_TASK, letter, task_id(identity, DEAD_LETTER_TASK), Lane.BULK)

    def drop(self, job: Job, outcomes: Outcomes) -> DropEnd:
        """Close the job by a rule. See `Ledger.drop`."""
        ended: DropEnd | None = self.patience.insist(
            lambda: self.ledger.drop(job.job_id, outcomes), f"drop job {job.job_id}"
        )
        assert ended is not None
        return ended

    def _send(self, task: str, message: Payload, identity: str, lane: Lane) -> None:
        self.patience.insist(
            lambda: self.broker.send(task, message, task_id=identity, lane=lane), f"send {identity} to {task}"
        )


def dropped_outcomes(results: Iterable[ItemResult]) -> dict[str, Counter[str]]:
    """Outcomes of frames that a rule dropped, per source."""
    outcomes: dict[str, Counter[str]] = {}
    for result in results:
        outcomes.setdefault(result.frame.source_id, Counter())[f"dropped:{result.dropped}"] += 1
    return outcomes

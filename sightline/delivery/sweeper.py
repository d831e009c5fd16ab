"""The sweeper: sends overdue jobs again and turns those that used up their attempts into dead letters.

Any number may run; the ledger gives each overdue job to one of them. It runs beside every database writer.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable

from sightline.blobs.store import FrameStore
from sightline.delivery.broker import Broker, task_id
from sightline.delivery.cancellations import CANCELLED
from sightline.delivery.ledger import Ledger, Overdue
from sightline.errors import BrokerUnavailableError, StoreUnavailableError
from sightline.pipelines import make_results, registry
from sightline.pipelines.queues import WRITE_TASK
from sightline.types import FrameError, Lane
from sightline.wire.messages import Message

log = logging.getLogger(__name__)

#: The frame store is pruned once in so many sweeps.
_PRUNE_EVERY = 60


class Sweeper:
    """A daemon thread. `sweep` does one round and is what tests call."""

    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        frames: FrameStore,
        *,
        interval_s: float,
        max_attempts: int,
        afterwards: Callable[[], None] = lambda: None,
    ) -> None:
        """`afterwards` is called after each sweep; it may raise what a sweep may."""
        self._ledger = ledger
        self._broker = broker
        self._frames = frames
        self._interval_s = interval_s
        self._max_attempts = max_attempts
        self._afterwards = afterwards
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="sweeper", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def sweep(self) -> int:
        """Send every overdue job that waits in no queue, and end those that were cancelled. Returns how many."""
        swept = 0
        for lane, pipeline in itertools.product(Lane, registry().names):
            before = min(time.time(), self._broker.waiting_since(lane, pipeline))
            for overdue in self._ledger.claim_overdue(lane, pipeline, before=before):
                self._send(overdue)
                swept += 1
        return swept

    def _send(self, overdue: Overdue) -> None:
        job = overdue.job.model_copy(update={"attempt": overdue.attempt})
        task, results = registry().first_task(job.pipeline), ()
        if overdue.is_cancelled:
            task, results = WRITE_TASK, make_results(job.pipeline, job.frames, dropped=CANCELLED)
        elif overdue.attempt > self._max_attempts:
            error = FrameError(
                reason="attempts_exhausted",
                message=f"no end after {self._max_attempts} attempts; see the workers' logs",
                stage="sweep",
            )
            task, results = WRITE_TASK, make_results(job.pipeline, job.frames, error=error)
        why = CANCELLED if overdue.is_cancelled else "overdue"
        log.warning("job %s is %s: attempt %d to %s", job.job_id, why, overdue.attempt, task)
        message = Message(job=job, results=results).pack()
        self._broker.send(task, message, task_id=task_id(job.job_id, task), lane=job.lane)

    def _run(self) -> None:
        rounds = 0
        while not self._stopped.wait(self._interval_s):
            try:
                self.sweep()
                if rounds % _PRUNE_EVERY == 0:
                    self._frames.prune()
                rounds += 1
                self._afterwards()
            except (BrokerUnavailableError, StoreUnavailableError) as error:
                log.warning("sweep put off: %s", error)
            except Exception:  # the last line of defense must not end by a bug; it is loud and tries again
                log.exception("sweep failed")

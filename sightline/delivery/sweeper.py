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
from sightline.delivery.branches import Branches, failed
from sightline.delivery.broker import Broker, task_id
from sightline.delivery.cancellations import CANCELLED
from sightline.delivery.ledger import Ledger, Overdue
from sightline.errors import BrokerUnavailableError, SettingsError, StoreUnavailableError
from sightline.pipelines import make_results, registry
from sightline.pipelines.graph import Graph
from sightline.pipelines.queues import WRITE_TASK
from sightline.types import FrameError, Lane
from sightline.wire.messages import Job, Message

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
        self._branches = Branches(ledger.arrivals, frames, broker)
        self._interval_s = interval_s
        self._max_attempts = max_attempts
        self._afterwards = afterwards
        self._stopped = threading.Event()
        self._swept_at = time.monotonic()
        self.swept = 0  #: jobs, since the start

    def start(self) -> None:
        threading.Thread(target=self._run, name="sweeper", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    @property
    def age_s(self) -> float:
        """Seconds since the last sweep that came to its end; before the first since the start."""
        return time.monotonic() - self._swept_at

    def sweep(self) -> int:
        """Send every overdue job that waits in no queue, and end those that were cancelled. Returns how many."""
        swept = 0
        for lane, pipeline in itertools.product(Lane, registry().names):
            before = min(time.time(), self._broker.waiting_since(lane, pipeline))
            for overdue in self._ledger.claim_overdue(lane, pipeline, before=before):
                self._send(overdue)
                swept += 1
        self.swept += swept
        self._swept_at = time.monotonic()
        return swept

    def _send(self, overdue: Overdue) -> None:
        job = overdue.job.model_copy(update={"attempt": overdue.attempt})
        graph = registry().graph(job.pipeline)
        if graph is not None and not overdue.is_cancelled:
            self._send_chains(job, graph)
            return
        task, results = registry().first_task(job.pipeline), ()
        if overdue.is_cancelled:
            task, results = WRITE_TASK, make_results(job.pipeline, job.frames, dropped=CANCELLED)
        elif overdue.attempt > self._max_attempts:
            task, results = WRITE_TASK, failed(job, self._exhausted()).results
        why = CANCELLED if overdue.is_cancelled else "overdue"
        log.warning("job %s is %s: attempt %d to %s", job.job_id, why, overdue.attempt, task)
        message = Message(job=job, results=results).pack()
        self._broker.send(task, message, task_id=task_id(job.job_id, task), lane=job.lane)

    def _send_chains(self, job: Job, graph: Graph) -> None:
        """Send what of a forking pipeline did not arrive. A chain that used up its attempts arrives as failed."""
        arrivals = self._ledger.arrivals
        for chain in graph.due(arrivals.arrived(job)):
            attempt = 1 + arrivals.sent_again(job, chain.name)
            log.warning("job %s is overdue in %s: attempt %d", job.job_id, chain.name, attempt)
            if attempt <= self._max_attempts:
                self._branches.send(job.model_copy(update={"attempt": attempt}), chain)
            elif chain.is_last:
                message = Message(job=job, results=failed(job, self._exhausted()).results).pack()
                self._broker.send(WRITE_TASK, message, task_id=task_id(job.job_id, WRITE_TASK), lane=job.lane)
            else:
                self._branches.arrive(job, chain, failed(job, self._exhausted()))

    def _exhausted(self) -> FrameError:
        text = f"no end after {self._max_attempts} attempts; see the workers' logs"
        return FrameError(reason="attempts_exhausted", message=text, stage="sweep")

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
            except SettingsError as error:
                log.error("sweep put off: %s", error)
            except Exception:  # the last line of defense must not end by a bug; it is loud and tries again
                log.exception("sweep failed")

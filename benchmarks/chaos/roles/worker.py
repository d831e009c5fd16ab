"""The workers under test: `celery -A benchmarks.chaos.roles.worker worker ...`, as `workers.app` but for three things.

Its detector fails on command, each start of a stage is noted in a file, and protections named in `CHAOS_WITHOUT` are
switched off, so that a run shows what they are for. The product has no hook for any of it: names are replaced here,
before `workers.app` makes the app.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sightline.celery.lease
import storage.database.errors
import workers.stages.detect
import workers.stages.runner
import workers.stages.services
from benchmarks.chaos.forks import dying
from benchmarks.chaos.load import POISON_WIDTH
from benchmarks.chaos.questions import engines
from benchmarks.chaos.switches import (
    FOLDER,
    HELD_FILE,
    HOLD_FILE,
    NO_MEMORY_FILE,
    REFUSED_FILE,
    RUNS_FOLDER,
    SLOW_FILE,
    SLOW_S,
    WITHOUT,
)  # fmt: skip
from sightline.celery.holds import Holds
from sightline.delivery.broker import Broker, Payload, task_id
from sightline.delivery.handoff import Delivery
from sightline.delivery.ledger import Ledger
from sightline.delivery.sweeper import Sweeper
from sightline.errors import BrokerUnavailableError
from sightline.pipelines import registry
from sightline.pipelines.queues import WRITE_QUEUE
from sightline.retry import Patience
from sightline.testing import BgrImage, StubDetector
from sightline.types import Detection, FrameResult, Lane, Pipeline
from sightline.wire.messages import Job, Message

log = logging.getLogger(__name__)

#: Every stage holds a job this long at least, so that a fault finds work in every worker's hands.
_WORK_S = 0.05
#: As long as a job may take here.
_HELD_S = 12.0


class FragileDetector(StubDetector):
    """Finds plates as the stub does, and fails when it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def detect(self, images: Sequence[BgrImage]) -> list[list[Detection]]:
        if (self._folder / NO_MEMORY_FILE).exists():
            raise MemoryError("no memory, for a while")
        if any(image.shape[1] == POISON_WIDTH for image in images):
            raise MemoryError("no memory for this picture, ever")
        if self._takes_slow_file():
            time.sleep(SLOW_S)
        return super().detect(images)

    def _takes_slow_file(self) -> bool:
        try:
            (self._folder / SLOW_FILE).unlink()
        except FileNotFoundError:
            return False
        return True


class NotedBroker(Broker):
    """Leaves a file where a message is not taken."""

    def send(self, task: str, message: Payload, *, task_id: str, lane: Lane) -> None:
        try:
            super().send(task, message, task_id=task_id, lane=lane)
        except BrokerUnavailableError:
            (Path(os.environ[FOLDER]) / REFUSED_FILE).touch()
            raise


class NotedDelivery(Delivery):
    """Appends the id of each job its stage really begins to work on to a file of this process.

    Of pipelines that fork the writer alone is noted here, and of chat: their other stages do it, each for itself.
    Shards may be sent again.
    """

    def __init__(self, ledger: Ledger, broker: Broker, patience: Patience) -> None:
        super().__init__(ledger, broker, patience)
        self._folder = Path(os.environ[FOLDER])
        runs = self._folder / RUNS_FOLDER
        runs.mkdir(exist_ok=True)
        queue = sys.argv[sys.argv.index("-Q") + 1]
        self._writes_alone = queue == WRITE_QUEUE
        self._hands_over = "," not in queue and queue != WRITE_QUEUE
        self._file = (runs / f"{queue}.{os.getpid()}").open("a", buffering=1)

    def begin(
        self, job: Job, *, redelivered: bool | None = None, to_write: bool = False, held_s: float | None = None
    ) -> int:
        sightings = super().begin(job, redelivered=bool(redelivered), to_write=to_write, held_s=held_s)
        if sightings and redelivered is not None:  # a stage that only asks for more time does not say
            if self._writes_alone or (job.pipeline != Pipeline.CHAT and not registry().graph(job.pipeline)):
                self._file.write(job.job_id + "\n")
            time.sleep(_WORK_S)
            if self._hands_over and job.deadline_at is None:
                self._hold()
        return sightings

    def _hold(self) -> None:
        while (self._folder / HOLD_FILE).exists():
            (self._folder / HELD_FILE).touch()
            time.sleep(0.01)


class ChainDelivery(NotedDelivery):
    """Hands over as Celery's `chain` does: the message is sent, or it is not, and its own is acknowledged anyway."""

    def hand_over(self, task: str, job: Job, results: Any, shards: Any = None) -> None:
        message = Message(job=job, results=tuple[FrameResult, ...](results), shards=shards).pack()
        try:
            self.broker.send(task, message, task_id=task_id(job.job_id, task), lane=job.lane)
        except BrokerUnavailableError as error:
            log.error("job %s: %s is not sent: %s", job.job_id, task, error)


def _sweep_nothing(self: Sweeper) -> int:  # noqa: ARG001 - the signature of what it replaces
    return 0


def _add_drain_alone(app: Any, patience: Patience, holds: Holds) -> None:  # noqa: ARG001 - the same
    app.steps["consumer"].add(sightline.celery.lease.DrainOnStop)


def _prepare(folder: Path, without: Sequence[str]) -> None:
    dying.prepare(without)
    engines.prepare(folder, held_s=_HELD_S)
    workers.stages.services.Broker = NotedBroker
    workers.stages.detect.open_detector = lambda *_: FragileDetector(folder)
    workers.stages.services.Delivery = ChainDelivery if "in-body-hand-over" in without else NotedDelivery
    if "letters" in without:
        workers.stages.runner.bury_message = lambda *_: None
    if "refusals" in without:
        storage.database.errors.meaning_of = lambda _: "bug"
    if "ledger" in without:
        Sweeper.sweep = _sweep_nothing
    if "lease" in without:
        sightline.celery.lease.add_delivery_steps = _add_drain_alone


_prepare(Path(os.environ[FOLDER]), os.environ.get(WITHOUT, "").split(","))

from workers.app import app  # noqa: E402 - after the names it takes were replaced

if "late-ack" in os.environ.get(WITHOUT, "").split(","):
    app.conf.task_acks_late = False

__all__ = ["app"]

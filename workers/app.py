"""The Celery app of all workers: `celery -A workers.app worker -P threads -Q gpu.detect`.

What a worker does follows from the queues it consumes. Models are loaded once per process and warmed before the
first message is taken.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Collection
from importlib import import_module
from types import ModuleType
from typing import Any

from celery import Celery, Task
from celery.signals import celeryd_after_setup, setup_logging, worker_shutdown, worker_shutting_down

from sightline import __version__
from sightline.celery.app import create_app
from sightline.celery.holds import Holds
from sightline.celery.intake import add_intake
from sightline.celery.lanes import add_lane_steps
from sightline.celery.lease import add_delivery_steps
from sightline.celery.remote_control import only_answer
from sightline.celery.transport import transport_of
from sightline.errors import BadMessageError, SettingsError, SightlineError
from sightline.logs import configure_logging
from sightline.metrics.families import Collector
from sightline.metrics.server import serve_metrics
from sightline.pipelines import registry
from sightline.pipelines.queues import DEAD_LETTER_TASK, WRITE_TASK
from sightline.retry import Patience
from sightline.settings import Settings, load_settings, log_settings
from workers.batching.runner import Runner
from workers.housekeeping.liveness import Liveness
from workers.housekeeping.metrics import WorkerMetrics
from workers.housekeeping.placement import placement_of, require_fit
from workers.housekeeping.times import TIMES
from workers.stages.runner import bury_message, run_burial, run_message
from workers.stages.services import Services, open_services
from workers.stages.step import Stage

log = logging.getLogger(__name__)

#: A thread that comes out of a network waits this long at most for one that runs Python; of Python's own 5 ms a core
#: stands idle for a part. Two cores were busy for 1.92 instead of 1.88 seconds a second, with frames one a message.
_SWITCH_S = 0.0005


def load_stages(queues: Collection[str]) -> dict[str, ModuleType]:
    """The modules of the stages behind some queues, by task: a worker loads only what its queues need."""
    return {task: import_module(stage.module) for task, stage in registry().stages.items() if stage.queue in queues}


def consumed_queues(celery_queues: Any) -> set[str]:
    """What a worker consumes of all queues: those of `-Q`; without it those whose stages need no package of their own.

    What is in the queues of the others would wait for a worker that cannot open their models.
    """
    queues = set(celery_queues.consume_from) & set(registry().queues)
    if celery_queues._consume_from is not None:
        return queues
    others = {stage.queue for stage in registry().stages.values() if stage.on_demand}
    log.info("no -Q: %s are left to workers that name them", ", ".join(sorted(others)))
    return queues - others


class Worker:
    """The stages of this process, opened when the worker knows its queues."""

    def __init__(self, app: Celery, settings: Settings, patience: Patience, holds: Holds) -> None:
        self._app = app
        self._patience = patience
        self._holds = holds
        self._settings = settings
        self._services: Services | None = None
        self._liveness: Liveness | None = None
        self._threads = 0
        self.stages: dict[str, Stage] = {}

    def about(self) -> dict[str, Any]:
        """What it answers whoever asks."""
        return {"version": __version__, **placement_of(self.stages, self._settings, self._threads)}

    def open(self, sender: str, instance: Any, **_: object) -> None:
        try:
            _require_threads(instance)
            self._open(sender, instance.app.amqp.queues, instance.concurrency)
        except SightlineError as error:
            # Celery would log it and go on without stages.
            raise SystemExit(f"{sender} cannot start: {error}") from error

    def _open(self, sender: str, celery_queues: Any, concurrency: int) -> None:
        self._threads = concurrency
        sys.setswitchinterval(_SWITCH_S)
        log_settings(self._settings)
        queues = consumed_queues(celery_queues)
        celery_queues.select(transport_of(self._settings.celery_broker_url).consumed(queues))
        services = self._services = open_services(
            self._app, self._settings, sender, self._patience, concurrency=concurrency, holds=self._holds
        )
        for task, module in load_stages(queues).items():
            log.info("%s opens %s", sender, task)
            self.stages[task] = module.open_stage(services)
        require_fit(self._settings, sender)
        longest_s = max((registry().stages[task].held_s or 0 for task in self.stages), default=0)
        self._liveness = Liveness(
            services.delivery.broker,
            self._patience,
            queues,
            self._runners,
            model_timeout_s=self._settings.model_timeout_s,
            stall_timeout_s=max(self._settings.stall_timeout_s, longest_s),
            advances=lambda: self._holds.advances,
        )
        self._liveness.start()
        services.cancellations.start()
        stages: list[Collector] = [stage for stage in self.stages.values() if isinstance(stage, Collector)]
        serve_metrics(self._settings, "worker", TIMES, WorkerMetrics(self._runners, self._patience), *stages)
        # What is here now stays as long as the process. Not looked at again, it makes collections short, and so
        # frequent that garbage of messages does not pile up.
        gc.collect()
        gc.freeze()

    def close(self, **_: object) -> None:
        for stage in self.stages.values():
            stage.close()
        if self._services is not None:
            self._services.tracer.close()

    def _runners(self) -> list[Runner[Any, Any]]:
        return [runner for stage in self.stages.values() for runner in stage.runners.values()]

    def run(self, task: str, message: Any, request: Any) -> None:
        assert self._services is not None
        assert self._liveness is not None
        redelivered = bool((request.delivery_info or {}).get("redelivered"))
        run_message(
            self.stages,
            task,
            self._services,
            message,
            redelivered=redelivered,
            task_id=str(request.id),
            traceparent=(request.headers or {}).get("traceparent"),
        )
        self._liveness.finished()

    def refuse(self, queue: str, raw: Any, error: BadMessageError) -> None:
        """What came off a queue is no message of ours."""
        assert self._services is not None
        bury_message(self._services, queue, raw, error)

    def store_letter(self, letter: Any) -> None:
        from workers.stages.write import WriteStage

        assert self._services is not None
        stage = self.stages[WRITE_TASK]
        assert isinstance(stage, WriteStage)
        run_burial(stage.bury_message, self._services, letter if isinstance(letter, dict) else {"payload": letter})


def _require_threads(instance: Any) -> None:
    """Stages share models, batches and leases in one process: other pools take messages and never end them.

    Raises:
        SettingsError: it was started with another.
    """
    pool = str(getattr(instance.pool_cls, "__module__", instance.pool_cls)).rpartition(".")[2]
    if pool not in ("thread", "threads"):
        raise SettingsError(
            f"-P {pool}: workers need -P threads; start it with celery -A workers.app worker -P threads"
        )


def create_worker_app(settings: Settings) -> Celery:
    """Celery with the tasks of all stages registered; which of them run here is decided by `-Q`."""
    celery_app = create_app(settings)
    patience, holds = Patience(), Holds()
    add_delivery_steps(celery_app, patience, holds)
    add_lane_steps(celery_app)
    worker = Worker(celery_app, settings, patience, holds)
    only_answer(celery_app, worker.about)
    add_intake(celery_app, worker.refuse)

    def run(self: Task, message: Any) -> None:
        worker.run(str(self.name), message, self.request)

    for task_name in registry().stages:
        celery_app.task(run, name=task_name, bind=True, typing=False)

    @celery_app.task(name=DEAD_LETTER_TASK)
    def bury(message: Any) -> None:
        worker.store_letter(message)

    celeryd_after_setup.connect(worker.open, weak=False)
    worker_shutting_down.connect(lambda **_: patience.stop(), weak=False)
    worker_shutdown.connect(worker.close, weak=False)
    setup_logging.connect(lambda **_: configure_logging(settings.log_level, settings.log_format), weak=False)
    return celery_app


app = create_worker_app(load_settings())

"""Liveness is progress: a worker that finishes nothing while messages wait ends itself, and so does a hung model call.

A finished batch is progress, and so is waiting for a service that does not answer: ending would bring nothing back.

Threads cannot be killed, so the process ends; its messages return after the visibility time-out and whoever
supervises it starts another. The health file is touched while all is well: a container's health check reads its age.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sightline.delivery.broker import Broker
from sightline.errors import BrokerUnavailableError
from sightline.retry import Patience
from workers.batching.runner import Runner

log = logging.getLogger(__name__)

_CHECK_EVERY_S = 5.0
EXIT_CODE = 70  # EX_SOFTWARE


def health_file(pid: int) -> Path:
    return Path(tempfile.gettempdir()) / f"sightline-worker-{pid}.health"


class Liveness:
    """Watches one worker process. Call `finished` after each task.

    `runners` are those of the models now open; `advances` counts what stages say of long work.
    """

    def __init__(
        self,
        broker: Broker,
        patience: Patience,
        queues: Iterable[str],
        runners: Callable[[], Iterable[Runner[Any, Any]]],
        *,
        model_timeout_s: float,
        stall_timeout_s: float,
        advances: Callable[[], int] = lambda: 0,
        end_process: Callable[[str], None] | None = None,
    ) -> None:
        self._broker = broker
        self._patience = patience
        self._queues = tuple(queues)
        self._runners = runners
        self._model_timeout_s = model_timeout_s
        self._stall_timeout_s = stall_timeout_s
        self._advances = advances
        self._end_process = end_process or _end_process
        self._finished = 0
        self._seen = -1
        self._progress_at = time.monotonic()
        self._file = health_file(os.getpid())

    def start(self) -> None:
        threading.Thread(target=self._run, name="liveness", daemon=True).start()

    def finished(self) -> None:
        self._finished += 1

    def check(self) -> None:
        """One look: note progress, or end the process."""
        now = time.monotonic()
        runners = tuple(self._runners())
        for runner in runners:
            since = runner.busy_since
            if since is not None and now - since > self._model_timeout_s:
                self._end_process(f"a call in {runner.name!r} takes longer than {self._model_timeout_s:g} s")
                return
        done = self._finished + self._advances() + sum(runner.stats.items for runner in runners)
        if done != self._seen or self._patience.is_waiting or not self._messages_wait():
            self._seen, self._progress_at = done, now
            self._file.touch()
        elif now - self._progress_at > self._stall_timeout_s:
            self._end_process(f"messages wait and nothing finished for {self._stall_timeout_s:g} s")

    def _messages_wait(self) -> bool:
        try:
            depths = self._broker.depths()
        except BrokerUnavailableError:
            return False  # not this worker's fault
        return any(depths[queue] for queue in self._queues)

    def _run(self) -> None:
        while True:
            self.check()
            time.sleep(_CHECK_EVERY_S)


def _end_process(reason: str) -> None:
    log.critical("this worker ends itself: %s", reason)
    os._exit(EXIT_CODE)

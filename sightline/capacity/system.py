"""Sightline as it runs, in a folder for once: its own Redis and database, workers with every delivery rule on."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from sightline.capacity.meter import Meter
from sightline.delivery.publisher import Publisher
from sightline.errors import BrokerUnavailableError, StoreUnavailableError
from sightline.ids import new_id
from sightline.local.checkout import FRUGAL_MALLOC, run_once, worker_command, worker_environment
from sightline.local.embedded_redis import prepare_redis
from sightline.local.supervisor import end_with_parent
from sightline.pipelines import Medium, registry
from sightline.pipelines.items import MAX_JOB_CHARS
from sightline.settings import PREFIX, Settings, load_settings
from sightline.submission.sequences import LIVE
from sightline.types import MAX_INLINE_CHARS, Item, Lane, Part, Pipeline
from sightline.wire.messages import MAX_FRAMES_PER_JOB, Job

_TIMEOUT_S = 300
_LEAST_NAP_S, _MOST_NAP_S = 0.01, 0.2
_STOP_S = 60
_SOURCES = 8
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_FRAME_TIME = timedelta(seconds=0.2)
_JOB_TIME = timedelta(minutes=3)  #: a source is looked at again when a vehicle that stood there is forgotten
_QUIET = subprocess.DEVNULL
_MOST_CHARS = min(MAX_INLINE_CHARS, MAX_JOB_CHARS // MAX_FRAMES_PER_JOB)  #: of a text that travels in its message


@dataclass(frozen=True)
class System:
    settings: Settings
    publisher: Publisher
    processes: Mapping[str, subprocess.Popen[bytes]]  #: by name
    environment: Mapping[str, str]  #: of each of them
    pipeline: Pipeline = Pipeline.PLATES  #: of what is published
    medium: Medium = "image"
    _numbers: Iterator[int] = field(default_factory=count)  #: of jobs

    def meter(self) -> Meter:
        return Meter({"publish": os.getpid()} | {name: process.pid for name, process in self.processes.items()})

    def publish(self, contents: Sequence[bytes], first: int, frames: int) -> Job:
        """Publish one bulk job of the pictures, or whatever it is, from number `first` on, of one of a few sources.

        By their times they are of a camera with five frames a second, and each job shows other vehicles.
        """
        number = next(self._numbers)
        source_id, began_at = f"lane{number % _SOURCES}", _BEGINNING + number * _JOB_TIME
        numbers = range(first, first + frames)
        stored: dict[str, bytes] = {}
        items: list[Item] = []
        for n in numbers:
            frame_id, content = new_id(), contents[n % len(contents)]
            if self.medium == "text" and len(content) <= _MOST_CHARS:
                part = Part(medium="text", text=content.decode())
            else:
                part = Part(medium=self.medium, key=frame_id)
                stored[frame_id] = content
            items.append(
                Item(
                    frame_id=frame_id,
                    source_id=source_id,
                    captured_at=began_at + (n - first) * _FRAME_TIME,
                    seq=n,
                    sequence=LIVE,
                    time_from="camera",
                    parts=() if self.medium == "image" else (part,),
                )
            )
        job = Job(job_id=new_id(), pipeline=self.pipeline, lane=Lane.BULK, frames=tuple(items))
        self.publisher.publish(job, stored)
        return job

    def run(self, contents: Sequence[bytes], frames: int, bundle: int) -> None:
        """Publish so many frames, `bundle` to a message, and wait until all are stored and settled.

        Raises:
            StoreUnavailableError: they are not after some minutes, or a process ended.
        """
        for first in range(0, frames, bundle):
            self.publish(contents, first, min(bundle, frames - first))
        self.wait()

    def open_frames(self) -> int:
        return sum(self.publisher.ledger.open_frames().values())

    def wait(self) -> None:
        """Until nothing is open. Raises StoreUnavailableError as `run` does.

        A look costs Redis and this process something too: the next one comes when half of the rest is done.
        """
        began_at, first = time.monotonic(), self.open_frames()
        while left := self.open_frames():
            self.check()
            took_s, done = time.monotonic() - began_at, first - left
            if took_s > _TIMEOUT_S:
                raise StoreUnavailableError(f"frames stay open after {_TIMEOUT_S} s\n{self.log()}")
            rest_s = took_s * left / done if done > 0 else _MOST_NAP_S
            time.sleep(min(max(rest_s / 2, _LEAST_NAP_S), _MOST_NAP_S))

    def check(self) -> None:
        """Raises StoreUnavailableError if a process ended."""
        if ended := [name for name, process in self.processes.items() if process.poll() is not None]:
            raise StoreUnavailableError(f"processes that ended: {', '.join(ended)}\n{self.log()}")

    def log(self) -> str:
        """The end of what the processes said."""
        return (self.settings.data_dir / "log").read_text(errors="replace")[-3000:]


@contextmanager
def running(
    parent: Path,
    workers: Mapping[str, Sequence[str]],
    *,
    given: Mapping[str, Any],
    api: bool = False,
    app: str = "workers.app",
    pipeline: Pipeline = Pipeline.PLATES,
    medium: Medium = "image",
) -> Iterator[System]:
    """Start everything in a new folder in `parent`, and end it. `workers` are the roles of each, by its name.

    `app` is the module of their Celery app. `pipeline` and `medium` are of what is going to be published.

    Models are those of the settings, unless `given`; services of the settings are left alone.
    """
    folder = Path(tempfile.mkdtemp(dir=parent))
    redis = prepare_redis(folder / "redis")
    ours = {
        "data_dir": folder,
        "redis_url": redis.url,
        "broker_url": "",
        "installation_id": "",
        "database_url": f"sqlite:///{folder / 'sightline.sqlite3'}",
        "frames_url": (folder / "frames").as_uri(),
        "pictures_url": (folder / "pictures").as_uri(),
        "max_open_frames_per_source": 20_000,
        "keep_pictures": "none",
    }
    settings = load_settings(**ours | dict(given))
    chosen = settings.model_dump(mode="json", include=settings.model_fields_set)
    environment = FRUGAL_MALLOC | os.environ  # as `sightline up` starts them
    environment |= {PREFIX + name.upper(): "" if value is None else str(value) for name, value in chosen.items()}
    processes = {"redis": subprocess.Popen([*end_with_parent(), *redis.command], stdout=_QUIET)}
    try:
        _wait_for(redis.url)
        run_once("storage", "upgrade", environment=environment)
        for name, roles in workers.items():
            queues = [registry().roles[role] for role in roles]
            command = worker_command(name, *queues, concurrency=settings.concurrency(roles), app=app)
            processes[name] = _start(command, environment | worker_environment(*queues), folder)
        if api:
            processes["api"] = _start((sys.executable, "-m", "producers.api"), environment, folder)
        publisher = Publisher.from_settings(settings)
        yield System(settings, publisher, processes, environment, pipeline, medium)
        publisher.close()
    finally:
        _stop(list(processes.values()))


def one_a_role(
    counts: Mapping[str, int] | None = None, pipeline: Pipeline = Pipeline.PLATES
) -> dict[str, tuple[str, ...]]:
    """Workers of one role each of a pipeline: `detect`, `detect2`, …, as many a role as `counts` says, else one."""
    return {
        f"{role}{number}" if number > 1 else role: (role,)
        for role in registry().roles_of(pipeline)
        for number in range(1, (counts or {}).get(role, 1) + 1)
    }


def _start(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen([*end_with_parent(), *command], env=environment, stdout=log, stderr=log)


def _wait_for(redis_url: str) -> None:
    import redis

    until = time.monotonic() + 30
    with redis.Redis.from_url(redis_url) as connection:
        while time.monotonic() < until:
            with suppress(redis.RedisError):
                connection.ping()
                return
            time.sleep(0.05)
    raise BrokerUnavailableError("the Redis that was started does not answer")


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Workers together, Redis last: they need it to stop."""
    for group in (processes[1:], processes[:1]):
        for process in group:
            process.terminate()
        for process in group:
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

"""Sightline as it runs: its own Redis, `celery -A workers.app` processes with every delivery rule on, a database."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.throughput.work import Meter, Work
from sightline.embedded_redis import EmbeddedRedis, prepare_redis
from sightline.ids import new_id
from sightline.messages import Job
from sightline.publisher import Publisher
from sightline.queues import DETECT_QUEUE, QUEUES
from sightline.settings import PREFIX, Settings, load_settings
from sightline.types import FrameRef, Lane, Pipeline
from storage.database import open_database
from storage.tables import Readings

ROOT = Path(__file__).parents[2]
_TIMEOUT_S = 300
_SOURCES = 8
_QUIET = subprocess.DEVNULL
STUBS = {"plates_model": "stub", "text_model": "stub", "objects_model": "stub", "recognizer": "stub"}
#: As the settings are, but for the models of other pipelines, which nobody asks for, and pictures: no entry keeps any.
MODELS = {"text_model": "stub", "objects_model": "stub"}


@dataclass(frozen=True)
class System:
    settings: Settings
    publisher: Publisher
    processes: Mapping[str, subprocess.Popen[bytes]]  #: by role
    environment: Mapping[str, str]  #: of each of them

    def meter(self) -> Meter:
        return Meter({"publish": os.getpid()} | {role: process.pid for role, process in self.processes.items()})

    def run(self, pictures: Sequence[bytes], frames: int, bundle: int) -> None:
        """Publish so many frames, `bundle` to a message, and wait until all are stored and settled.

        Raises:
            RuntimeError: they are not after some minutes, or a process ended.
        """
        for first in range(0, frames, bundle):
            source_id, now = f"lane{first // bundle % _SOURCES}", datetime.now(UTC)
            numbers = range(first, min(first + bundle, frames))
            refs = tuple(FrameRef(frame_id=new_id(), source_id=source_id, captured_at=now, seq=n) for n in numbers)
            job = Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=refs)
            pixels = {ref.frame_id: pictures[n % len(pictures)] for ref, n in zip(refs, numbers, strict=True)}
            self.publisher.publish(job, pixels)
        self.wait()

    def count_readings(self) -> int:
        database = open_database(self.settings.sqlalchemy_url)
        with database.read() as connection:
            found = connection.scalar(sa.select(sa.func.count()).select_from(Readings))
        database.close()
        return int(found or 0)

    def wait(self) -> None:
        until = time.monotonic() + _TIMEOUT_S
        while sum(self.publisher.ledger.open_frames().values()):
            ended = [role for role, process in self.processes.items() if process.poll() is not None]
            if ended or time.monotonic() > until:
                raise RuntimeError(
                    f"frames stay open; processes that ended: {', '.join(ended) or 'none'}\n{self.log()}"
                )
            time.sleep(0.02)

    def log(self) -> str:
        """The end of what the processes said."""
        return (self.settings.data_dir / "log").read_text(errors="replace")[-3000:]


@contextmanager
def running(
    work: Work,
    *,
    given: Mapping[str, Any],
    fused: bool = False,
    api: bool = False,
    app: str = "workers.app",
    detectors: int = 1,
) -> Iterator[System]:
    """Start everything, in a folder of its own, and end it. `fused`: all roles in one process; `api`: with it.

    `app` is the module of the workers' Celery app; `detectors`: so many processes detect.
    """
    folder = Path(tempfile.mkdtemp(dir=work.folder))
    redis = prepare_redis(folder / "redis")
    settings = load_settings(
        data_dir=folder,
        redis_url=redis.url,
        **{
            "frames_url": (folder / "frames").as_uri(),
            "max_open_frames_per_source": 20_000,
            "keep_pictures": "none",
            **given,
        },
    )
    chosen = settings.model_dump(mode="json", include=settings.model_fields_set)
    environment = os.environ | {PREFIX + key.upper(): str(value) for key, value in chosen.items()}
    groups = [QUEUES] if fused else [(queue,) for queue in QUEUES]
    commands = {"worker" if fused else group[0].partition(".")[2]: group for group in groups}
    commands |= {f"detect{number}": (DETECT_QUEUE,) for number in range(2, detectors + 1)}
    processes = {"redis": subprocess.Popen(redis.command, stdout=_QUIET)}
    try:
        _upgrade(environment, redis)
        for role, queues in commands.items():
            processes[role] = _start(_worker(role, queues, app), environment, folder)
        if api:
            processes["api"] = _start([sys.executable, "-m", "producers.api"], environment, folder)
        publisher = Publisher.from_settings(settings)
        yield System(settings, publisher, processes, environment)
        publisher.close()
    finally:
        for process in reversed(processes.values()):
            process.terminate()
            process.wait(60)


def _start(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


def _worker(role: str, queues: Sequence[str], app: str) -> list[str]:
    """As `sightline up` starts it."""
    pool = ("-P", "threads", "-c", str(8 * len(queues)), "-Q", ",".join(queues), "-n", f"{role}@%h")
    frugal = ("--without-gossip", "--without-mingle", "--heartbeat-interval", "10")
    return [sys.executable, "-m", "celery", "-q", "-A", app, "worker", *pool, *frugal]


def _upgrade(environment: Mapping[str, str], redis: EmbeddedRedis) -> None:
    import redis as client

    command = [sys.executable, "-m", "storage", "upgrade"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=_QUIET, stderr=_QUIET)
    with client.Redis.from_url(redis.url) as connection:
        while True:
            try:
                connection.ping()
                return
            except client.RedisError:
                time.sleep(0.05)

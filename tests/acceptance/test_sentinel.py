"""Three Sentinels, a master that is killed under load, and a replica that takes its place: nothing is lost."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa

from sightline.blobs.names import frames_name
from sightline.celery.app import create_app
from sightline.delivery.broker import Broker, task_id
from sightline.delivery.publisher import Publisher
from sightline.delivery.result_board import ResultBoard
from sightline.pipelines import make_results
from sightline.pipelines.queues import WRITE_TASK
from sightline.redis.connection import connect
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job, Message
from tests.acceptance.parts.system import System
from tests.conftest import free_port, redis_program

JOBS = 40


class Failover:
    """A master, its replica, and three Sentinels that agree by two."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {name: free_port() for name in ("one", "two", "watch1", "watch2", "watch3")}
        self._start("one", "appendonly yes", "save ''")
        self._start("two", "appendonly yes", "save ''", f"replicaof 127.0.0.1 {self.ports['one']}")
        for name in ("watch1", "watch2", "watch3"):
            self._start(
                name,
                f"sentinel monitor main 127.0.0.1 {self.ports['one']} 2",
                "sentinel down-after-milliseconds main 500",
                "sentinel failover-timeout main 5000",
            )
        self._wait_until_watched()

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{self.ports[name]}" for name in ("watch1", "watch2", "watch3"))
        return f"sentinel://{hosts}/0?master=main"

    def client(self, name: str) -> redis.Redis:
        return redis.Redis(port=self.ports[name], decode_responses=True)

    def kill(self, name: str) -> None:
        self._running[name].kill()
        self._running[name].wait(10)

    def stop(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait(10)

    def _start(self, name: str, *lines: str) -> None:
        folder = self._folder / name
        folder.mkdir()
        file = folder / "redis.conf"
        file.write_text("\n".join([f"port {self.ports[name]}", "bind 127.0.0.1", f"dir {folder}", *lines]) + "\n")
        mode = ["--sentinel"] if name.startswith("watch") else []
        with (folder / "log").open("wb") as log:
            command = [redis_program(), str(file), *mode]
            self._running[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def _wait_until_watched(self) -> None:
        until = time.monotonic() + 30
        while True:
            try:
                told: list[Any] = [self.client(name).sentinel_master("main") for name in ("watch1", "watch2", "watch3")]
                link = self.client("two").info("replication")["master_link_status"]
                if link == "up" and all(each["num-slaves"] == 1 and each["num-other-sentinels"] == 2 for each in told):
                    return
            except redis.RedisError:
                pass
            assert time.monotonic() < until
            time.sleep(0.1)


@pytest.fixture
def failover(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failover]:
    failover = Failover(tmp_path_factory.mktemp("sentinel"))
    yield failover
    failover.stop()


@pytest.fixture
def system(failover: Failover, tmp_path: Path) -> Iterator[System]:
    """Ledger, broker, frames and results, all where the Sentinels say."""
    system = System(tmp_path, failover.url, frames_url=failover.url, keep_pictures="all")
    yield system
    system.stop()


def send(system: System, numbers: range) -> None:
    """Finished jobs, as they leave the last stage, with their pixels in the frame store."""
    publisher, broker = Publisher.from_settings(system.settings), Broker(create_app(system.settings))
    for number in numbers:
        frame = FrameRef(frame_id=f"frame-{number:04}", source_id="gate", captured_at=datetime.now(UTC))
        job = Job(job_id=f"job-{number:06}", pipeline=Pipeline.OBJECTS, lane=Lane.BULK, frames=(frame,))
        publisher.ledger.admit(job)
        publisher.frames.put_bundle(frames_name(job.job_id), {frame.frame_id: b"pixels"})
        message = Message(job=job, results=make_results(job.pipeline, job.frames))
        broker.send(WRITE_TASK, message.pack(), task_id=task_id(job.job_id, WRITE_TASK), lane=job.lane)
    publisher.close()


def test_a_killed_master(failover: Failover, system: System) -> None:
    send(system, range(JOBS // 2))
    with failover.client("one") as master:
        master.wait(1, 10_000)  # replication is asynchronous: what is not there yet would be lost by right
    failover.kill("one")
    system.start("write")  # connects while there is no master, or to the new one
    wait_for_master(failover)
    send(system, range(JOBS // 2, JOBS))
    system.wait_until_quiet()
    assert_all_there(failover, system)


def test_a_worker_that_was_connected_goes_on(failover: Failover, system: System) -> None:
    system.start("write")
    send(system, range(JOBS // 2))
    system.wait_until_quiet()
    with failover.client("one") as master:
        master.wait(1, 10_000)
    failover.kill("one")
    wait_for_master(failover)
    send(system, range(JOBS // 2, JOBS))
    system.wait_until_quiet()
    assert_all_there(failover, system)


def assert_all_there(failover: Failover, system: System) -> None:
    """A row, a picture and a result of each job."""
    with system.database() as database, database.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM frames WHERE picture_kept")) == JOBS
    board = ResultBoard(connect(failover.url), result_ttl_s=60)
    assert board.wait(f"job-{JOBS - 1:06}", 5) is not None


def wait_for_master(failover: Failover) -> None:
    """Until the Sentinels name the replica, as they do once two of them agree."""
    until = time.monotonic() + 60
    while True:
        try:
            pool: Any = connect(failover.url).connection_pool
            if pool.get_master_address() == ("127.0.0.1", failover.ports["two"]):
                return
        except redis.RedisError:
            pass
        assert time.monotonic() < until
        time.sleep(0.2)

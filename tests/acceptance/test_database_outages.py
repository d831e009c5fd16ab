"""A database that says no for longer than a job may take: its messages wait, none is dead, the log stays short."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from benchmarks.chaos.machine.postgres import find_binaries
from sightline.celery.app import create_app
from sightline.delivery.broker import Broker, task_id
from sightline.delivery.publisher import Publisher
from sightline.pipelines import make_results
from sightline.pipelines.queues import WRITE_TASK
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job, Message
from tests.acceptance.parts.system import System
from tests.integration.storage.refusals.servers import Server, primary

JOBS = 30


@pytest.fixture
def server() -> Iterator[Server]:
    binaries = find_binaries()
    if binaries is None:
        pytest.fail("no PostgreSQL") if os.environ.get("CI") else pytest.skip("no PostgreSQL")
    with primary(binaries) as server:
        yield server


@pytest.fixture
def system(server: Server, redis_url: str, tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path, redis_url, database_url=server.url(), max_attempts=2, job_timeout_s=2)
    yield system
    system.stop()


def send_finished_jobs(system: System) -> None:
    """As they leave the last stage."""
    publisher, broker = Publisher.from_settings(system.settings), Broker(create_app(system.settings))
    for number in range(JOBS):
        frame = FrameRef(frame_id=f"frame-{number:04}", source_id="gate", captured_at=datetime.now(UTC))
        job = Job(job_id=f"job-{number:06}", pipeline=Pipeline.OBJECTS, lane=Lane.BULK, frames=(frame,))
        publisher.ledger.admit(job)
        message = Message(job=job, results=make_results(job.pipeline, job.frames))
        broker.send(WRITE_TASK, message.pack(), task_id=task_id(job.job_id, WRITE_TASK), lane=job.lane)
    publisher.close()


def test_read_only_for_longer_than_all_attempts(system: System, server: Server) -> None:
    system.start("write")
    before = system.log("write").count("\n")
    server.sql("ALTER DATABASE sightline SET default_transaction_read_only = on")
    server.end_sessions()
    send_finished_jobs(system)
    time.sleep(12)  # twice the time after which a job is sent again, and once more
    server.sql("SET default_transaction_read_only = off", "ALTER DATABASE sightline RESET ALL")
    system.wait_until_quiet()
    with system.database() as database, database.read() as connection:
        rows = {name: connection.scalar(sa.text(f"SELECT count(*) FROM {name}")) for name in ("frames", "dead_letters")}
    assert rows == {"frames": JOBS, "dead_letters": 0}
    log = system.log("write")
    assert log.count("read-only transaction") <= 4  # of the outage, whoever waits, the sweeper
    assert log.count("\n") - before < 40, log
    assert "the database answers again" in log

"""Two installations and somebody else's Celery share one Redis, each below a prefix of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa
from celery import Celery

from sightline.client.client import Sightline
from sightline.delivery.delta_stream import Delta, DeltaStream
from sightline.redis.connection import connect
from sightline.types import JobStatus
from tests.acceptance.parts.system import System

Photo = Callable[[str, int], bytes]
PREFIXES = ("acme:", "beta.")


@pytest.fixture
def systems(tmp_path: Path, redis_url: str) -> Iterator[list[System]]:
    """Pixels are in the same Redis, too."""
    made: list[System] = []
    for prefix in PREFIXES:
        folder = tmp_path / prefix.strip(":.")
        folder.mkdir()
        url = f"{redis_url}?prefix={prefix}"
        made.append(System(folder, url, frames_url=url, plates_model="stub", recognizer="stub"))
    yield made
    for system in made:
        system.stop()


def test_each_does_its_own_jobs_and_sees_no_other(systems: list[System], redis_url: str, photo: Photo) -> None:
    foreign = Celery(broker=redis_url, set_as_current=False)
    foreign.send_task("somebody.elses", kwargs={"x": 1}, queue="gpu.detect")
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        foreign_keys = set(client.scan_iter())
        assert "gpu.detect" in foreign_keys
    for system in systems:
        system.start("worker")
    clients = [Sightline(system.settings) for system in systems]
    jobs = [
        [client.submit(photo(f"{prefix[0].upper()}AB {number}", number), source_id=prefix[:4]) for number in range(4)]
        for client, prefix in zip(clients, PREFIXES, strict=True)
    ]
    for client, own, system in zip(clients, jobs, systems, strict=True):
        assert {job.wait(60).status for job in own} == {JobStatus.STORED}, system.log("worker")
        client.close()
    for system, own in zip(systems, jobs, strict=True):
        system.wait_until_quiet()
        with system.database() as database, database.read() as connection:
            stored = set(connection.scalars(sa.text("SELECT job_id FROM jobs")))
        assert stored == {job.job_id for job in own}
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        keys = set(client.scan_iter(count=1000))
        assert {key for key in keys if not key.startswith(PREFIXES)} == foreign_keys
        assert client.llen("gpu.detect") == 1  # what is not ours nobody touched
    foreign.close()


def test_messages_of_a_killed_worker_come_back(systems: list[System], photo: Photo) -> None:
    system = systems[0]
    system.start("detect", "ocr", "write")
    with Sightline(system.settings) as client:
        jobs = [client.submit(photo(f"KAB {number}", number % 5)) for number in range(20)]
        system.kill("detect")
        system.workers["detect"].wait(10)
        system.start("detect2")
        assert {job.wait(60).status for job in jobs} == {JobStatus.STORED}


def test_what_a_stage_says_is_heard(redis_url: str) -> None:
    with connect(f"{redis_url}?prefix=acme:") as client:
        stream = DeltaStream(client, ttl_s=60)
        stream.add(Delta("job-000001", "chat", "first", 0), Delta("job-000001", "chat", "first", 1, "Hello"))
        assert [event.data for event in stream.listen("job-000001", silent_s=0.2)] == ["Hello"]
        assert client.exists("sightline:deltas:job-000001") == 1

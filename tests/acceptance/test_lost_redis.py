"""Redis loses everything while workers work: what the API accepted ends in the database all the same, once."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa
from fastapi.testclient import TestClient

from producers.api.app import create_app
from storage.access.keys import Role, create_key
from tests.acceptance.parts.system import System

Photo = Callable[[str, int], bytes]
JOBS = 24


@pytest.fixture
def system(tmp_path: Path, redis_url: str) -> Iterator[System]:
    """Pixels are in Redis too, and lost with it."""
    running = System(tmp_path, redis_url, frames_url=redis_url)
    yield running
    running.stop()


def test_jobs_of_the_api_outlive_redis(system: System, photo: Photo) -> None:
    system.start("detect", "ocr", "write")
    with system.database() as database:
        key = create_key(database, "test", Role.OPERATOR)
    with TestClient(create_app(system.settings), headers={"X-API-Key": key}) as api:
        jobs = [submit(api, photo(f"KAB {4000 + number}", number % 5)) for number in range(8)]
        while finished(system) < 4:
            time.sleep(0.05)
        system.kill("detect", signal.SIGSTOP)  # or a fast machine would finish before Redis is lost
        jobs += [submit(api, photo(f"KAB {4000 + number}", number % 5)) for number in range(8, JOBS)]
        with redis.Redis.from_url(system.settings.redis_url) as client:
            client.flushall()
        assert finished(system) < JOBS - 4
        system.kill("detect", signal.SIGCONT)
        assert {api.get(f"/v1/jobs/{job}").status_code for job in jobs} == {200}
        until = time.monotonic() + 60
        while finished(system) < JOBS:
            assert time.monotonic() < until, system.log("write")
            time.sleep(0.2)
        system.wait_until_quiet()
        assert {api.get(f"/v1/jobs/{job}").json()["status"] for job in jobs} == {"stored"}
        assert api.get("/v1/audit").json()["balanced"]
    with system.database() as database, database.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM frames")) == JOBS
        assert connection.scalar(sa.text("SELECT count(*) FROM dead_letters")) == 0
        twice = "SELECT count(*) FROM (SELECT 1 FROM readings GROUP BY frame_id, detection_index HAVING count(*) > 1) t"
        assert connection.scalar(sa.text(twice)) == 0


def submit(api: TestClient, picture: bytes) -> str:
    answer: Any = api.post("/v1/jobs", files={"files": ("car.jpg", picture)}, data={"lane": "bulk"})
    assert answer.status_code == 202, answer.text
    return answer.json()["job_id"]


def finished(system: System) -> int:
    with system.database() as database, database.read() as connection:
        return connection.scalar(sa.text("SELECT count(*) FROM jobs")) or 0

"""Lanes in a real worker, on both brokers: bulk never holds all threads, and is never starved."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from sightline.celery.app import create_app
from sightline.celery.transport import transport_of
from sightline.delivery.broker import Broker
from sightline.pipelines.queues import DETECT_QUEUE, DETECT_TASK
from sightline.settings import PREFIX, Settings, load_settings
from sightline.types import Lane

ROOT = Path(__file__).parents[3]
THREADS = 4


@pytest.fixture
def settings(redis_url: str, broker_url: str) -> Settings:
    return load_settings(redis_url=redis_url, broker_url=broker_url)


class Line:
    """What is sent, and what the worker noted."""

    def __init__(self, settings: Settings) -> None:
        self._broker = Broker(create_app(settings))
        self._broker.depths()  # on RabbitMQ this makes the queues
        self.redis = redis.Redis.from_url(settings.redis_url, decode_responses=True)

    def send(self, lane: Lane, count: int) -> None:
        for number in range(count):
            task_id = f"{lane}-{number}-{time.monotonic_ns()}"
            self._broker.send(DETECT_TASK, {"lane": str(lane)}, task_id=task_id, lane=lane)

    def wait_for(self, name: str, lane: Lane, count: int) -> None:
        """Wait until so many of a lane are noted."""
        began_at = time.monotonic()
        while self.noted(name).count(lane) < count:
            assert time.monotonic() - began_at < 20, f"{count} {lane} to be {name}, but only {self.noted(name)}"
            time.sleep(0.005)

    def noted(self, name: str) -> list[str]:
        return list(self.redis.lrange(name, 0, -1))  # pyright: ignore


@contextmanager
def commands_seen(client: redis.Redis) -> Iterator[list[str]]:
    """In the end: every command that Redis was given meanwhile."""
    before: Any = client.config_get("slowlog-*")
    client.slowlog_reset()
    client.config_set("slowlog-max-len", 10_000)
    client.config_set("slowlog-log-slower-than", 0)
    commands: list[str] = []
    yield commands
    found: Any = client.slowlog_get(10_000)
    for name, value in before.items():
        client.config_set(name, value)
    commands += [str(entry["command"]) for entry in found]


@contextmanager
def worker(settings: Settings) -> Iterator[None]:
    queues = ",".join(transport_of(settings.celery_broker_url).consumed({DETECT_QUEUE}))
    command = [
        "celery",
        "-q",
        "-A",
        "tests.integration.delivery.lane_app",
        "worker",
        "-P",
        "threads",
        "-c",
        str(THREADS),
    ]
    options = ["-Q", queues, "--without-gossip", "--without-mingle"]
    environment = {PREFIX + "REDIS_URL": settings.redis_url, PREFIX + "BROKER_URL": settings.broker_url}
    process = subprocess.Popen([sys.executable, "-m", *command, *options], cwd=ROOT, env=os.environ | environment)
    try:
        yield
    finally:
        with redis.Redis.from_url(settings.redis_url) as client:
            client.set("nobody holds", "1")
        process.terminate()
        process.wait(30)


def test_live_does_not_wait_for_bulk_to_end(settings: Settings) -> None:
    line = Line(settings)
    line.send(Lane.BULK, 3 * THREADS)
    with worker(settings):
        line.wait_for("begun", Lane.BULK, THREADS)
        time.sleep(0.3)
        assert line.noted("begun") == ["bulk"] * THREADS  # that is all it may hold
        line.send(Lane.LIVE, 10)
        line.wait_for("ended", Lane.LIVE, 10)
        assert line.noted("ended") == ["live"] * 10
        # A place that is free again is taken at once, not when a blocking pop runs out of time: the pop is ended.
        with commands_seen(line.redis) as commands:
            for number in range(1, 5):
                line.redis.rpush("let go", "one")
                line.wait_for("begun", Lane.BULK, THREADS + number)
        is_redis = settings.celery_broker_url.startswith("redis")
        assert any("CLIENT UNBLOCK" in command for command in commands) == is_redis
        line.redis.set("nobody holds", "1")
        line.redis.rpush("let go", *["one"] * THREADS)
        line.wait_for("ended", Lane.BULK, 3 * THREADS)


def test_bulk_has_its_share_when_live_has_no_end(settings: Settings) -> None:
    line = Line(settings)
    line.redis.set("nobody holds", "1")
    line.send(Lane.BULK, 10)
    line.send(Lane.LIVE, 200)
    with worker(settings):
        line.wait_for("ended", Lane.BULK, 10)
        line.wait_for("ended", Lane.LIVE, 200)
    begun = line.noted("begun")
    tenth = max(place for place, lane in enumerate(begun) if lane == "bulk")
    assert tenth < 120  # ten times eight, and what a worker had in hand
    assert "bulk" in begun[:30]
    assert begun[:60].count("live") > 40

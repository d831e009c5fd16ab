"""Whatever lies on a queue is worked on or becomes a dead letter; the worker goes on, as the same process."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa
from celery import Celery

from sightline import JobStatus, Sightline
from sightline.celery.transport import transport_of
from sightline.ids import new_id
from sightline.testing import make_picture
from sightline.types import Lane
from tests.acceptance.parts.system import System

STUBS = {"plates_model": "stub", "text_model": "stub", "recognizer": "stub"}


@pytest.fixture
def system_on(tmp_path: Path, redis_url: str, broker_url: str) -> Iterator[System]:
    running = System(tmp_path, redis_url, broker_url=broker_url, **STUBS)
    yield running
    running.stop()


def letters(system: System, count: int) -> list[sa.RowMapping]:
    """The dead letters, once there are so many."""
    until = time.monotonic() + 40
    while True:
        with system.database() as database, database.read() as connection:
            found = connection.execute(sa.text("SELECT * FROM dead_letters")).mappings().all()
        if len(found) >= count:
            return list(found)
        assert system.workers["worker"].poll() is None, system.log("worker")
        assert time.monotonic() < until, (len(found), count, [row["message"] for row in found], system.log("worker"))
        time.sleep(0.2)


def send(system: System, *, priority: int | None = None, **options: Any) -> None:
    """As a Celery app that knows nothing of us."""
    url = system.settings.celery_broker_url
    queue = transport_of(url).consumed({"gpu.detect"})[0]
    with Celery(broker=url, set_as_current=False) as app:
        app.conf.task_create_missing_queues = True
        if url.startswith("amqp"):
            app.conf.task_queues = [q for q in transport_of(url).task_queues() if q.name == queue]
        name = options.pop("name", "sightline.detect")
        app.send_task(name, queue=queue, priority=priority, **options)


def job() -> dict[str, Any]:
    frame = {"frame_id": new_id(), "source_id": "gate", "captured_at": datetime.now(UTC).isoformat()}
    return {"v": 1, "job": {"job_id": new_id(), "pipeline": "plates", "lane": "bulk", "frames": [frame]}}


def test_what_is_no_task_of_ours_becomes_a_dead_letter(system_on: System) -> None:
    system_on.start("worker")
    good = {"message": job()}
    over = datetime.now(UTC) - timedelta(minutes=1)
    sent: dict[str, dict[str, Any]] = {
        "'sightline.detcet' is no task": {"name": "sightline.detcet", "kwargs": good},
        "is a task of db.write": {"name": "sightline.write", "kwargs": good},
        "args: a task takes none": {"args": [1, 2]},
        "['message', 'urgent']": {"kwargs": good | {"urgent": True}},
        "kwargs: one is taken": {},
        "'application/x-python-serialize'": {"kwargs": good, "serializer": "pickle"},
        "'application/x-yaml'": {"kwargs": good, "serializer": "yaml"},
        "over since": {"kwargs": good, "expires": over},
        "headers.eta": {"kwargs": good, "countdown": 3600},
        "compression": {"kwargs": good, "compression": "zlib"},
        "callbacks: nothing can follow": {"kwargs": good, "link": Celery().signature("sightline.detect")},
    }
    if system_on.settings.celery_broker_url.startswith("amqp"):
        del sent["over since"]  # RabbitMQ itself takes out what is over
    for options in sent.values():
        send(system_on, **options)
    found = [row["message"] for row in letters(system_on, len(sent))]
    assert [words for words in sent if not any(words in message for message in found)] == []
    assert len(found) == len(sent)
    assert_goes_on(system_on)


ENTRIES: tuple[bytes, ...] = (
    b"[]",
    b"not json",
    b'{"a":1}',
    b"",
    b"null",
    b"\xff\xfe\x00",
    b'"text"',
    b"[" * 100_000,
    json.dumps({"body": "W10=", "headers": None, "properties": {}}).encode(),
    json.dumps({"body": 1, "headers": {}, "properties": {"body_encoding": "rot13"}}).encode(),
)


def test_an_entry_that_is_no_message_becomes_a_dead_letter(tmp_path: Path, redis_url: str) -> None:
    system = System(tmp_path, redis_url, **STUBS)
    try:
        system.start("worker")
        with redis.Redis.from_url(redis_url) as client:
            for number, entry in enumerate(ENTRIES):
                client.lpush(("gpu.detect", "cpu.ocr\x06\x163", "db.write\x06\x169")[number % 3], entry)
            for body in ("5", "[]", "{}", "nonsense", '[[], {"message": 1}, 5, 6]', '[[], {"__type__": "x"}, {}]'):
                envelope = {
                    "body": body,
                    "headers": {"task": "sightline.detect", "id": new_id()},
                    "content-type": "application/json",
                    "content-encoding": "utf-8",
                    "properties": {},
                }
                client.lpush("gpu.detect", json.dumps(envelope))
                client.lpush("gpu.detect", json.dumps(envelope | {"headers": {"task": ["x"], "id": 1}}))
        found = letters(system, len(ENTRIES) + 12)
        assert {row["reason"] for row in found} == {"bad_message"}
        assert {row["stage"] for row in found} == {"detect", "ocr", "write"}
        assert_goes_on(system)
    finally:
        system.stop()


def test_what_was_sent_with_any_priority_is_worked_on(tmp_path: Path, redis_url: str) -> None:
    """Each number can be a list of its own; which of them, the sender's settings say."""
    system = System(tmp_path, redis_url, **STUBS)
    try:
        system.start("worker")
        with Celery(broker=redis_url, set_as_current=False) as app:
            app.conf.broker_transport_options = {"priority_steps": list(range(10))}
            for priority in range(10):
                app.send_task("sightline.detect", kwargs={"message": job()}, queue="gpu.detect", priority=priority)
        assert {row["reason"] for row in letters(system, 10)} == {"frame_missing"}
    finally:
        system.stop()


def test_remote_control_only_asks(system_on: System) -> None:
    """Whoever may ask a worker how it is must not be able to end it, nor to have it do less."""
    system_on.start("worker")
    with Celery(broker=system_on.settings.celery_broker_url, set_as_current=False) as app:
        control: Any = app.control
        control.shutdown()
        for order in (control.cancel_consumer, control.add_consumer):
            order("gpu.detect")
        control.rate_limit("sightline.detect", "1/h")
        control.revoke("some-job:detect", terminate=True)
        for order in ("pool_shrink", "pool_restart", "autoscale", "enable_events", "hello", "objgraph", "time_limit"):
            control.broadcast(order)
        if system_on.settings.celery_broker_url.startswith("redis"):
            with redis.Redis.from_url(system_on.settings.redis_url) as client:
                for nonsense in ("{}", "[]", "5", "nonsense", '{"properties": {}}', '{"body": 1, "headers": 2}'):
                    assert client.publish("/0.celery.pidbox", nonsense) == 1
        answers = next(filter(None, (control.ping(timeout=3, limit=1) for _ in range(10))))
        assert [list(answer.values()) for answer in answers] == [[{"ok": "pong"}]]
        stats = next(filter(None, (control.inspect(timeout=3, limit=1).stats() for _ in range(10))))
        assert all(each["pool"] for each in stats.values())
    assert_goes_on(system_on)


def assert_goes_on(system: System) -> None:
    with Sightline(system.settings) as client:
        done = client.submit(make_picture("AB12CD"), pipeline="plates", source_id="gate", lane=Lane.INTERACTIVE)
        assert done.wait(30).status is JobStatus.STORED
        assert sum(client.publisher.broker.depths().values()) == 0
    assert system.workers["worker"].poll() is None

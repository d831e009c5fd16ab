"""The same promises of both brokers: what is sent waits in its lane, and can be looked for."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Queue

from sightline.celery.app import create_app
from sightline.celery.transport import SENT_AT_HEADER
from sightline.delivery.broker import Broker
from sightline.errors import BrokerUnavailableError
from sightline.pipelines import registry
from sightline.pipelines.queues import DETECT_QUEUE, DETECT_TASK, LANE_PRIORITY, WRITE_TASK
from sightline.settings import Settings, load_settings
from sightline.types import Lane, Pipeline
from tests.rabbitmq import empty_queues


@pytest.fixture
def settings(redis_url: str, broker_url: str) -> Settings:
    return load_settings(redis_url=redis_url, broker_url=broker_url)


@pytest.fixture
def broker(settings: Settings) -> Broker:
    return Broker(create_app(settings))


def test_what_is_sent_waits_in_its_queue(broker: Broker) -> None:
    assert broker.depths() == dict.fromkeys(registry().queues, 0)
    for number, lane in enumerate(Lane):
        broker.send(DETECT_TASK, {"number": number}, task_id=f"job-{number}:detect", lane=lane)
    broker.send(WRITE_TASK, {}, task_id="job-9:write", lane=Lane.BULK)
    assert broker.depths() == dict.fromkeys(registry().queues, 0) | {"gpu.detect": 3, "db.write": 1}


def test_on_redis_a_key_that_is_no_list_is_named_with_what_to_do(redis_url: str) -> None:
    broker = Broker(create_app(load_settings(redis_url=redis_url, broker_url="")))
    redis.Redis.from_url(redis_url).set(DETECT_QUEUE, "hello")
    with pytest.raises(BrokerUnavailableError, match=r"LLEN gpu\.detect.*rename or delete it"):
        broker.depths()
    with pytest.raises(BrokerUnavailableError, match=r"for gpu\.detect.*rename or delete it"):
        broker.send(DETECT_TASK, {}, task_id="job-1:detect", lane=Lane.INTERACTIVE)


def test_on_redis_a_message_is_what_celery_would_send(redis_url: str) -> None:
    app = create_app(load_settings(redis_url=redis_url, broker_url=""))
    Broker(app).send(DETECT_TASK, "text", task_id="job-1:detect", lane=Lane.LIVE)
    queued: Any = {"queue": DETECT_QUEUE, "priority": LANE_PRIORITY[Lane.LIVE], "headers": {SENT_AT_HEADER: 1.0}}
    given: Any = {"task_id": "job-1:detect", "argsrepr": "-", "kwargsrepr": "-", "ignore_result": True}
    app.send_task(DETECT_TASK, kwargs={"message": "text"}, **given, **queued)
    raw: Any = redis.Redis.from_url(redis_url).lrange(f"{DETECT_QUEUE}\x06\x163", 0, -1)
    its, ours = (json.loads(message) for message in raw)
    for message in (its, ours):
        assert message["headers"].pop(SENT_AT_HEADER) > 0
        message["properties"].pop("delivery_tag")
        message["properties"].pop("reply_to")  # nobody replies
        message["headers"].pop("ignore_result")  # Celery asks the app, the worker asks its task
    # Celery copies options of `send_task` that it does not know there.
    assert its["properties"] == ours["properties"] | {"argsrepr": "-", "kwargsrepr": "-"}
    assert {**ours, "properties": {}} == {**its, "properties": {}}


def test_a_lane_knows_since_when_something_waits_in_it(broker: Broker, settings: Settings) -> None:
    before = time.time()
    assert broker.waiting_since(Lane.LIVE, Pipeline.PLATES) >= before
    broker.send(DETECT_TASK, {}, task_id="job-1:detect", lane=Lane.LIVE)
    sent_at = time.time()
    time.sleep(0.01)
    assert broker.waiting_since(Lane.LIVE, Pipeline.PLATES) <= sent_at
    assert broker.waiting_since(Lane.BULK, Pipeline.PLATES) > sent_at
    is_told = settings.celery_broker_url.startswith("redis")  # RabbitMQ does not tell: 0, as long as any waits
    assert (broker.waiting_since(Lane.LIVE, Pipeline.PLATES) >= before) == is_told


def test_a_message_without_a_queue_is_not_sent(redis_url: str, rabbitmq_url: str) -> None:
    """RabbitMQ confirms what no queue takes. Workers ask for the depths all the time, which makes the queues again."""
    broker = Broker(create_app(load_settings(redis_url=redis_url, broker_url=rabbitmq_url)))
    broker.depths()
    broker.send(DETECT_TASK, {}, task_id="job-1:detect", lane=Lane.LIVE)
    empty_queues(rabbitmq_url)
    with pytest.raises(BrokerUnavailableError, match="NO_ROUTE"):
        broker.send(DETECT_TASK, {}, task_id="job-2:detect", lane=Lane.LIVE)
    assert broker.depths()["gpu.detect"] == 0
    broker.send(DETECT_TASK, {}, task_id="job-2:detect", lane=Lane.LIVE)
    assert broker.depths()["gpu.detect"] == 1


def test_any_celery_app_can_send_to_a_lane(redis_url: str, rabbitmq_url: str) -> None:
    """As `docs/reference/wire.md` tells it."""
    broker = Broker(create_app(load_settings(redis_url=redis_url, broker_url=rabbitmq_url)))
    broker.depths()  # as workers do, this makes the queues
    queue = Queue("gpu.detect.live", queue_arguments={"x-queue-type": "quorum"}, no_declare=True)
    with Celery("somebody", broker=rabbitmq_url, set_as_current=False) as app:
        app.send_task("sightline.detect", kwargs={"message": {}}, queue=queue)
    until = time.monotonic() + 10
    while broker.depths()["gpu.detect"] != 1:  # it was not confirmed
        assert time.monotonic() < until
        time.sleep(0.05)

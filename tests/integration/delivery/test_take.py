"""Messages that are taken together from a real Redis: noted in the same step, given back as kombu does it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from sightline.celery.app import create_app
from sightline.celery.take import Popped, Share, Taker
from sightline.delivery.broker import Broker
from sightline.pipelines.queues import DETECT_QUEUE, DETECT_TASK
from sightline.settings import load_settings
from sightline.types import Lane

BULK, LIVE = f"{DETECT_QUEUE}\x06\x166", f"{DETECT_QUEUE}\x06\x163"


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url, decode_responses=True)


@pytest.fixture
def broker(redis_url: str) -> Broker:
    return Broker(create_app(load_settings(redis_url=redis_url)))


@pytest.fixture
def channel(redis_url: str) -> Iterator[Any]:
    with create_app(load_settings(redis_url=redis_url)).connection_for_read() as connection:
        channel: Any = connection.channel()
        channel.client.connection = channel.client.connection_pool.get_connection()
        channel.client.connection.connect()
        channel.client.script_flush()
        yield channel
        channel.client.connection.disconnect()
        channel.pool.disconnect()


def send(broker: Broker, lane: Lane, count: int) -> None:
    for number in range(count):
        broker.send(DETECT_TASK, {"number": number}, task_id=f"{lane}-{number}", lane=lane)


def take(taker: Taker, *shares: tuple[str, int], most: int = 8) -> list[Popped]:
    """The first time the script is not known, which gives nothing."""
    numbers = {BULK: range(6, 10), LIVE: range(3, 6)}
    for _ in range(2):
        taker.begin([DETECT_QUEUE], [Share(numbers[key], of_all) for key, of_all in shares], most)
        if found := taker.read():
            return found
    return []


def test_half_of_what_waits_is_taken_the_oldest_first_and_noted(
    channel: Any, broker: Broker, client: redis.Redis
) -> None:
    send(broker, Lane.BULK, 6)
    send(broker, Lane.LIVE, 1)
    taker = Taker(channel)
    popped = take(taker, (LIVE, 5), (BULK, 5))
    assert [one.key.decode() for one in popped] == [LIVE, BULK, BULK, BULK]
    assert [f'"id": "bulk-{n}"' in one.entry.decode() for n, one in enumerate(popped[1:])] == [True] * 3
    assert (client.llen(BULK), client.llen(LIVE)) == (3, 0)
    tags = [one.tag for one in popped]
    assert len(set(tags)) == 4
    assert set(client.hkeys("unacked")) == set(client.zrange("unacked_index", 0, -1)) == set(tags)  # pyright: ignore
    assert taker.is_due
    # A worker died with them: kombu gives them back, as what was delivered before.
    client.zadd("unacked_index", dict.fromkeys(tags, time.time() - 3600))
    channel.qos.restore_visible(num=10, interval=1)
    assert (client.llen(BULK), client.llen(LIVE)) == (6, 1)
    assert client.exists("unacked", "unacked_index") == 0
    assert "redelivered" in str(client.lindex(LIVE, 0))


@pytest.mark.parametrize(("of_bulk", "most", "taken"), [(2, 8, 2), (8, 3, 3), (0, 8, 0)])
def test_no_more_than_may_be_taken(channel: Any, broker: Broker, of_bulk: int, most: int, taken: int) -> None:
    send(broker, Lane.BULK, 20)
    taker = Taker(channel)
    assert len(take(taker, (BULK, of_bulk), most=most)) == taken
    assert taker.is_due == (taken > 0)  # if not, the next pop waits


@pytest.mark.parametrize("entry", ["no JSON", "[1, 2]", "{}", '{"headers": {}, "properties": []}'])
def test_what_could_not_be_given_back_is_not_noted(channel: Any, client: redis.Redis, entry: str) -> None:
    client.lpush(BULK, entry)
    assert take(Taker(channel), (BULK, 8)) == [Popped(BULK.encode(), entry.encode())]
    assert client.exists("unacked", "unacked_index") == 0


def test_what_is_done_is_acknowledged_by_the_next_take(channel: Any, broker: Broker, client: redis.Redis) -> None:
    send(broker, Lane.BULK, 8)
    taker = Taker(channel)
    first = take(taker, (BULK, 8))
    for one in first:
        channel.qos.ack(one.tag)
    assert client.hlen("unacked") == 4
    second = take(taker, (BULK, 8))
    assert set(client.hkeys("unacked")) == {one.tag for one in second}  # pyright: ignore
    channel.qos.ack(second[0].tag)
    taker.stop()
    assert client.hlen("unacked") == 1
    channel.qos.ack(second[1].tag)  # from now on at once
    assert client.exists("unacked", "unacked_index") == 0


def test_acknowledgments_do_not_wait_where_nothing_is_about_to_be_taken(
    channel: Any, broker: Broker, client: redis.Redis
) -> None:
    send(broker, Lane.BULK, 1)
    taker = Taker(channel)
    (only,) = take(taker, (BULK, 8))
    channel.qos.ack(only.tag)
    taker.tick()  # it consumes no queue
    assert client.exists("unacked", "unacked_index") == 0


def test_a_user_without_the_right_takes_one_by_one(channel: Any, broker: Broker, client: redis.Redis) -> None:
    send(broker, Lane.BULK, 4)
    taker = Taker(channel)
    (_, tag) = (one.tag for one in take(taker, (BULK, 8)))
    channel.qos.ack(tag)
    client.execute_command("ACL", "SETUSER", "default", "-rpop")
    try:
        assert take(taker, (BULK, 8)) == []
    finally:
        client.execute_command("ACL", "SETUSER", "default", "+rpop")
    assert not taker.is_due
    taker.noticed(1)
    assert not taker.is_due
    taker.tick()
    assert client.hlen("unacked") == 1  # the acknowledgment that went with it is made up for
    assert client.llen(BULK) == 2


def test_a_full_redis_loses_nothing_that_is_taken(channel: Any, broker: Broker, client: redis.Redis) -> None:
    send(broker, Lane.BULK, 8)
    taker = Taker(channel)
    assert len(take(taker, (BULK, 2))) == 2
    client.config_set("maxmemory", 1)
    try:
        assert len(take(taker, (BULK, 8))) == 3
    finally:
        client.config_set("maxmemory", 0)
    assert client.hlen("unacked") == client.zcard("unacked_index") == 5


def test_what_cannot_be_read_does_not_keep_others_from_coming_back(
    channel: Any, broker: Broker, client: redis.Redis
) -> None:
    send(broker, Lane.BULK, 2)
    (one,) = take(Taker(channel), (BULK, 8))
    client.hset("unacked", "nonsense", "[no JSON")
    client.zadd("unacked_index", {one.tag: time.time() - 7200, "nonsense": time.time() - 3600})
    channel.qos.restore_visible(num=10, interval=1)
    assert client.llen(BULK) == 2
    assert client.zcard("unacked_index") == 0
    assert client.hkeys("unacked") == ["nonsense"]

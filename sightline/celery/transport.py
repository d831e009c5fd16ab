"""What differs between brokers: Redis and RabbitMQ. Everything else says `queue` and `lane` and does not ask.

Redis keeps one list per queue and lane, which a worker reads in the order of the lanes. RabbitMQ's quorum queues know
no such order: there each lane is a queue of its own, `<queue>.<lane>`, and `lanes.py` keeps the order in the worker.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from sightline.pipelines import registry
from sightline.pipelines.queues import LANE_PRIORITIES, LANE_PRIORITY
from sightline.types import Lane

if TYPE_CHECKING:
    from celery import Celery
    from kombu.entity import Queue

    from sightline.settings import DeliverySettings, Settings

#: Header with the epoch time of sending, so that the age of a waiting message can be read without its body.
SENT_AT_HEADER: Final = "sightline_sent_at"
#: How often unacknowledged messages of dead workers are looked for.
_RESTORE_INTERVAL_S: Final = 5
_QUORUM: Final = {"x-queue-type": "quorum"}


class Transport(Protocol):
    """One broker's ways. `channel` is kombu's, open."""

    def options(self, settings: Settings) -> dict[str, Any]:
        """Celery's `broker_transport_options`."""
        ...

    def task_queues(self) -> list[Queue]:
        """Celery's `task_queues`."""
        ...

    def connect(self, app: Celery, count: int) -> None:
        """Open so many connections to send with."""
        ...

    def send(self, app: Celery, task: str, kwargs: dict[str, Any], *, task_id: str, lane: Lane) -> None:
        """Put one message on the queue of its task. Safe to call from several threads."""
        ...

    def channel(self, app: Celery) -> AbstractContextManager[Any]:
        """A channel to look at queues. Safe to call from several threads."""
        ...

    def consumed(self, queues: set[str]) -> list[str]:
        """What a worker reads that was given these queues."""
        ...

    def depth(self, channel: Any, queue: str, lane: Lane) -> int:
        """How many messages wait."""
        ...

    def sent_at(self, channel: Any, queue: str, lane: Lane) -> float | None:
        """When the oldest waiting message was sent, or a time before that; None if none waits."""
        ...

    def held(self, channel: Any) -> tuple[int, float] | None:
        """How many messages workers hold, and when the oldest lease was refreshed (now, if none). None: not known."""
        ...


def transport_of(broker_url: str) -> Transport:
    return RabbitTransport() if broker_url.startswith("amqp") else RedisTransport()


class RedisTransport:
    def __init__(self) -> None:
        self._channel: Any = None  #: to send through, once something was sent

    def options(self, settings: DeliverySettings) -> dict[str, Any]:
        return {
            "visibility_timeout": settings.visibility_timeout_s,
            "unacked_restore_interval": _RESTORE_INTERVAL_S,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 15,  # a sweeper that dies in its sweep blocks the others no longer than this
            "priority_steps": sorted(LANE_PRIORITY.values()),  # one list a lane, served in this order
            "socket_timeout": 10,  # a silent peer must not hang the worker's main loop
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 15,
            "retry_on_timeout": False,  # a repeated LPUSH would be a second message
            "max_connections": 64,
            "body_encoding": "utf-8",
        }

    def task_queues(self) -> list[Queue]:
        from kombu.entity import Queue

        return [Queue(name, routing_key=name) for name in registry().queues]

    def connect(self, app: Celery, count: int) -> None:
        pool = self._open_channel(app).pool
        with ExitStack() as borrowed:
            for _ in range(count):
                borrowed.callback(pool.release, pool.get_connection())

    def send(self, app: Celery, task: str, kwargs: dict[str, Any], *, task_id: str, lane: Lane) -> None:
        """What `send_task` comes to, without the half millisecond it takes to get there.

        It looks up route and queue, borrows a producer, declares the queue; here all of that is known.
        """
        from kombu.utils.json import dumps

        channel = self._open_channel(app)
        made = app.amqp.create_task_message(task_id, task, (), kwargs, argsrepr="-", kwargsrepr="-")
        message = channel.prepare_message(
            dumps(made.body),
            priority=LANE_PRIORITY[lane],
            content_type="application/json",
            content_encoding="utf-8",
            headers=made.headers | {SENT_AT_HEADER: time.time()},
            properties=made.properties | {"delivery_mode": 2},
        )
        # To the exchange without a name: it takes nothing of the channel that threads would have to share.
        channel.basic_publish(message, exchange="", routing_key=registry().routes[task])

    @contextmanager
    def channel(self, app: Celery) -> Iterator[Any]:
        yield self._open_channel(app)  # a new one each time cost more than all the looks of a sweep

    def _open_channel(self, app: Celery) -> Any:
        if self._channel is None:
            channel = app.connection_for_write().channel()
            keep_one_client(channel)
            self._channel = channel  # another thread's may be lost: it is as good
        return self._channel

    def consumed(self, queues: set[str]) -> list[str]:
        return sorted(queues)

    def depth(self, channel: Any, queue: str, lane: Lane) -> int:
        # `queue_declare` would bind and publish; the size alone is read here
        with channel.client.pipeline(transaction=False) as pipe:
            for key in lists_of(channel, queue, lane):
                pipe.llen(key)
            return sum(pipe.execute())

    def sent_at(self, channel: Any, queue: str, lane: Lane) -> float | None:
        with channel.client.pipeline(transaction=False) as pipe:
            for key in lists_of(channel, queue, lane):
                pipe.lindex(channel.global_keyprefix + key, -1)  # kombu puts the prefix to what it uses itself
            return min((_sent_at(message) for message in pipe.execute() if message is not None), default=None)

    def held(self, channel: Any) -> tuple[int, float] | None:
        with channel.client.pipeline(transaction=False) as pipe:
            pipe.zcard(channel.global_keyprefix + channel.unacked_index_key)
            pipe.zrange(channel.unacked_index_key, 0, 0, withscores=True)
            count, oldest = pipe.execute()
        return int(count), float(oldest[0][1]) if oldest else time.time()


class RabbitTransport:
    def options(self, settings: Settings) -> dict[str, Any]:  # noqa: ARG002 - the protocol's signature
        return {
            "confirm_publish": True,  # a message is sent when a majority of the queue's replicas wrote it down
            "connect_timeout": 3,
            "read_timeout": 30,  # a silent peer must not hang a publisher for ever
            "write_timeout": 10,
            "max_retries": 0,  # whoever must not fail tries again
        }

    def task_queues(self) -> list[Queue]:
        from kombu.entity import Queue

        # Workers are given the plain names, which nobody declares: `consumed` turns them into those of the lanes.
        queues = registry().queues
        names = [*queues, *(_lane_queue(queue, lane) for queue in queues for lane in Lane)]
        return [Queue(name, routing_key=name, queue_arguments=_QUORUM) for name in names]

    def connect(self, app: Celery, count: int) -> None:
        with ExitStack() as borrowed:
            for _ in range(min(count, app.amqp.producer_pool.limit or 0)):
                producer = borrowed.enter_context(app.amqp.producer_pool.acquire())
                producer.connection.ensure_connection(max_retries=1)
                _ = producer.channel  # opens it

    def send(self, app: Celery, task: str, kwargs: dict[str, Any], *, task_id: str, lane: Lane) -> None:
        app.send_task(
            task,
            kwargs=kwargs,
            task_id=task_id,
            headers={SENT_AT_HEADER: time.time()},
            argsrepr="-",  # logs and Flower need no copy of the message
            kwargsrepr="-",
            retry=False,
            queue=_lane_queue(registry().routes[task], lane),
            mandatory=True,  # a message without a queue would be confirmed and gone
        )

    @contextmanager
    def channel(self, app: Celery) -> Iterator[Any]:
        with app.connection_for_read() as connection:
            yield connection.channel()

    def consumed(self, queues: set[str]) -> list[str]:
        return [_lane_queue(queue, lane) for queue in sorted(queues) for lane in Lane]

    def depth(self, channel: Any, queue: str, lane: Lane) -> int:
        # Not passive: asking for a queue that nobody used yet would close the channel.
        name = _lane_queue(queue, lane)
        declared = channel.queue_declare(queue=name, durable=True, auto_delete=False, arguments=_QUORUM)
        return int(declared.message_count)

    def sent_at(self, channel: Any, queue: str, lane: Lane) -> float | None:
        # Its queues cannot be looked into without taking: what waits may be of any age.
        return 0.0 if self.depth(channel, queue, lane) else None

    def held(self, channel: Any) -> tuple[int, float] | None:  # noqa: ARG002 - the protocol's signature
        return None


def lists_of(channel: Any, queue: str, lane: Lane) -> list[str]:
    """The lists of Redis in which messages of a lane may lie: the one we send to, and those of other senders."""
    numbers = LANE_PRIORITIES[lane]
    return [f"{queue}{channel.sep}{number}" if number else queue for number in numbers]


def keep_one_client(channel: Any) -> None:
    """Have a channel of kombu's on Redis use one client for all its commands, instead of a new one for each.

    To make one takes longer than its command. Clients are safe to share between threads.
    """
    make = channel._create_client
    client = make()
    channel._create_client = lambda asynchronous=False: make(asynchronous=True) if asynchronous else client


def _lane_queue(queue: str, lane: Lane) -> str:
    return f"{queue}.{lane}"


def _sent_at(message: Any) -> float:
    """When a waiting message was sent; 0 where it does not say so, or is no message at all."""
    try:
        return float(json.loads(message)["headers"].get(SENT_AT_HEADER) or 0.0)
    except (ValueError, TypeError, LookupError, AttributeError):
        return 0.0

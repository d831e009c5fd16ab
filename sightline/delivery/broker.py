"""Sending by name and looking at the queues, whichever broker it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from sightline.celery.transport import transport_of
from sightline.errors import BrokerUnavailableError
from sightline.pipelines import registry
from sightline.redis.connection import meaning_of, not_permitted
from sightline.types import Lane, Pipeline

if TYPE_CHECKING:
    from celery import Celery


class Line(NamedTuple):
    """What waits in one lane of a queue."""

    queue: str
    lane: Lane
    messages: int
    oldest_sent_at: float | None  #: epoch seconds; 0: the broker does not tell; None: nothing waits


#: The one argument of a task: what is JSON-able, or `Message.pack`.
Payload = str | dict[str, Any]


class Broker:
    """Raises `BrokerUnavailableError` where the broker does not answer, `NotPermittedError` where it refuses."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._transport = transport_of(str(app.conf.broker_url))

    def connect(self, count: int) -> None:
        """Open as many connections as threads will send side by side, so that the first need not wait for one."""
        with _broker_errors():
            self._transport.connect(self._app, count)

    def send(self, task: str, message: Payload, *, task_id: str, lane: Lane) -> None:
        """Put one message on the queue of its task. One try; whoever must not fail tries again."""
        with _broker_errors(f" for {registry().routes[task]}"):
            self._transport.send(self._app, task, {"message": message}, task_id=task_id, lane=lane)

    def ask_workers(self, question: str, *, within_s: float) -> dict[str, Any]:
        """What each worker answers that does so in time, by its name; questions are those of `remote_control`."""
        with _broker_errors():
            answers: Any = self._app.control.broadcast(question, reply=True, timeout=within_s)
        return {worker: told for answer in answers or () for worker, told in answer.items()}

    def depths(self) -> dict[str, int]:
        """Waiting messages per queue, all lanes together."""
        with self._channel() as channel:
            depth, queues = self._transport.depth, registry().queues
            return {queue: sum(depth(channel, queue, lane) for lane in Lane) for queue in queues}

    def lines(self) -> list[Line]:
        """What waits, for each lane of each queue."""
        with self._channel() as channel:
            depth, sent_at = self._transport.depth, self._transport.sent_at
            return [
                Line(queue, lane, messages, sent_at(channel, queue, lane) if messages else None)
                for queue in registry().queues
                for lane in Lane
                for messages in (depth(channel, queue, lane),)
            ]

    def held(self) -> tuple[int, float] | None:
        """How many messages workers hold, and when the oldest lease among them was refreshed, in epoch seconds.

        A live worker refreshes its leases four times per visibility time-out. None: RabbitMQ does not tell.
        """
        with self._channel() as channel:
            return self._transport.held(channel)

    def waiting_since(self, lane: Lane, pipeline: Pipeline) -> float:
        """When the oldest message was sent that waits in a lane of the queues of a pipeline; now, if none waits.

        Queues are first in, first out, so a job sent before this is in no queue any more. RabbitMQ does not tell; there
        it is 0 while any waits.
        """
        with self._channel() as channel:
            queues = [registry().routes[task] for task in registry().tasks[pipeline]]
            found = [self._transport.sent_at(channel, queue, lane) for queue in queues]
        return min([time.time(), *(sent_at for sent_at in found if sent_at is not None)])

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        with _broker_errors(), self._transport.channel(self._app) as channel:
            yield channel


@contextmanager
def _broker_errors(what: str = "") -> Iterator[None]:
    """`what` is added to the text where something is refused, which the broker does not always name."""
    from amqp.exceptions import AccessRefused, AMQPError, MessageNacked, NotAllowed
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    text = "broker did not take or give a message"
    try:
        yield
    except (AccessRefused, NotAllowed) as error:
        raise not_permitted(f"{text}{what}: {error}") from error
    except (OperationalError, RedisError, AMQPError, MessageNacked, OSError) as error:
        of_redis = error if isinstance(error, RedisError) else error.__cause__  # kombu may have wrapped it
        meaning: Exception | None = BrokerUnavailableError(f"{text}: {error}")
        if isinstance(of_redis, RedisError):
            meaning = meaning_of(of_redis, f"{text}{what}", BrokerUnavailableError)
        if meaning is None:
            raise
        raise meaning from error


def task_id(job_id: str, task: str) -> str:
    """The id of a stage's message: derived, so that a stage that ran twice sent the same message twice."""
    return f"{job_id}:{task.rpartition('.')[2]}"

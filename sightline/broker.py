"""Sending by name and looking at the queues. Everything that knows the transport is here and in `lease.py`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sightline.errors import BrokerUnavailableError
from sightline.queues import LANE_PRIORITY, QUEUES, ROUTES, STAGES
from sightline.types import Lane, Pipeline

if TYPE_CHECKING:
    from celery import Celery

#: Header with the epoch time of sending, so that the age of a waiting message can be read without its body.
SENT_AT_HEADER = "sightline_sent_at"


class Broker:
    """Raises `BrokerUnavailableError` where the broker does not answer."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._is_redis = str(app.conf.broker_url).startswith(("redis", "unix"))

    def send(self, task: str, message: dict[str, Any], *, task_id: str, lane: Lane) -> None:
        """Put one message on the queue of its task. One try; whoever must not fail tries again."""
        with self._errors():
            self._app.send_task(
                task,
                kwargs={"message": message},
                task_id=task_id,
                priority=self._priority(lane),
                headers={SENT_AT_HEADER: time.time()},
                argsrepr="-",  # logs and Flower need no copy of the message
                kwargsrepr="-",
                retry=False,
            )

    def depths(self) -> dict[str, int]:
        """Waiting messages per queue, all lanes together."""
        with self._errors(), self._app.connection_for_read() as connection:
            channel: Any = connection.channel()
            return {queue: self._depth(channel, queue) for queue in QUEUES}

    def waiting_since(self, lane: Lane, pipeline: Pipeline) -> float:
        """When the oldest message was sent that waits in a lane of the queues of a pipeline; now, if none waits.

        Queues are first in, first out, so a job sent before this is in no queue any more.
        """
        queues = [ROUTES[task] for task in STAGES[pipeline]]
        with self._errors(), self._app.connection_for_read() as connection:
            channel: Any = connection.channel()
            if not self._is_redis:
                waits = any(self._depth(channel, queue) for queue in queues)
                return 0.0 if waits else time.time()
            oldest = time.time()
            for queue in queues:
                name = channel._q_for_pri(queue, self._priority(lane))
                message = channel.client.lindex(name, -1)
                if message is not None:
                    oldest = min(oldest, _sent_at(message))
            return oldest

    def _depth(self, channel: Any, queue: str) -> int:
        if self._is_redis:  # `queue_declare` would bind and publish; the size alone is read here
            return int(channel._size(queue))
        return int(channel.queue_declare(queue=queue, passive=True).message_count)

    def _priority(self, lane: Lane) -> int:
        priority = LANE_PRIORITY[lane]
        return priority if self._is_redis else max(LANE_PRIORITY.values()) - priority

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from kombu.exceptions import OperationalError
        from redis.exceptions import RedisError

        try:
            yield
        except (OperationalError, RedisError, OSError) as error:
            raise BrokerUnavailableError(f"broker did not take or give a message: {error}") from error


def _sent_at(message: Any) -> float:
    """When a waiting message was sent; 0 where it does not say so, or is no message at all."""
    try:
        return float(json.loads(message)["headers"].get(SENT_AT_HEADER) or 0.0)
    except (ValueError, TypeError, LookupError, AttributeError):
        return 0.0


def task_id(job_id: str, task: str) -> str:
    """The id of a stage's message: derived, so that a stage that ran twice sent the same message twice."""
    return f"{job_id}:{ROUTES[task].partition('.')[2]}"

"""Keeps the order of the lanes in a worker on RabbitMQ, where each lane is a queue of its own.

The broker gives a worker up to a full prefetch of each lane, in no order. Here what came is begun in the order of the
lanes, so a message of a higher lane waits for no more than the work at hand. On Redis the broker keeps the order.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar

from celery import bootsteps

from sightline.queues import LANE_PRIORITY

_RANKS = {str(lane): rank for lane, rank in LANE_PRIORITY.items()}


class LaneExecutor(ThreadPoolExecutor):
    """A thread that is free takes the oldest work of the highest lane, whichever was submitted first."""

    def __init__(self, max_workers: int, lane_of: Callable[..., str]) -> None:
        super().__init__(max_workers)
        self._lane_of = lane_of
        self._waiting: list[tuple[int, int, Callable[[], Any]]] = []
        self._numbers = itertools.count()
        self._change = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        rank = _RANKS.get(self._lane_of(*args), min(_RANKS.values()))
        with self._change:
            heapq.heappush(self._waiting, (rank, next(self._numbers), lambda: fn(*args, **kwargs)))
        return super().submit(self._run_best)

    @property
    def waiting(self) -> int:
        """How much is not begun."""
        return len(self._waiting)

    def _run_best(self) -> Any:
        with self._change:
            *_, work = heapq.heappop(self._waiting)
        return work()


class LaneOrder(bootsteps.StartStopStep):
    """Gives the worker's thread pool a `LaneExecutor`. Not on Redis."""

    requires: ClassVar = {"celery.worker.components:Pool"}

    def include_if(self, parent: Any) -> bool:
        return parent.app.connection_for_read().transport.driver_type == "amqp"

    def start(self, parent: Any) -> None:
        parent.pool.executor.shutdown()
        parent.pool.executor = LaneExecutor(parent.pool.limit, _lane_of_request)


def _lane_of_request(_target: Any, args: tuple[Any, ...], *_: Any) -> str:
    """The lane in the name of the queue a request came from: `gpu.detect.live`."""
    delivery_info = args[2].get("delivery_info") or {}
    return str(delivery_info.get("routing_key")).rpartition(".")[2]


def add_lane_step(app: Any) -> None:
    """Give the app's workers the step."""
    from celery.worker.consumer.delayed_delivery import DelayedDelivery

    app.steps["worker"].add(LaneOrder)
    # For tasks with a date, which we have none of, Celery would make 28 queues wherever it sees a quorum queue.
    DelayedDelivery.include_if = lambda self, c: False  # noqa: ARG005 - Celery's signature

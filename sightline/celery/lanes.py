"""Keeps the order of the lanes in a worker: what it takes off the queues next, and which threads are whose.

Bulk may hold as many jobs as the worker was given threads (`-c`). Beside them there are a quarter more, for the other
lanes alone, so that no camera waits for an import to be done with a thread. Whose turn it is, `fairness.py` says.

On Redis the worker pops from one list a lane: it names them in the order of the moment, and bulk's not at all while
bulk holds all it may. On RabbitMQ the broker gives a worker up to a full prefetch of each lane, in no order; there the
thread pool begins them in order.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Any, ClassVar, Final

from celery import bootsteps
from celery.signals import task_received

from sightline.celery.fairness import LANES, Turns, lane_of, threads_for
from sightline.celery.lease import held_requests
from sightline.celery.other_kinds import OtherKinds
from sightline.celery.take import Share, Taker
from sightline.celery.transport import keep_one_client, lists_of
from sightline.pipelines import registry
from sightline.pipelines.queues import LANE_PRIORITIES
from sightline.types import Lane

log = logging.getLogger(__name__)

#: How long a pop without bulk lasts where the worker may not end it itself.
_LOOK_AGAIN_S: Final = 0.05


class LaneExecutor(ThreadPoolExecutor):
    """A thread that is free takes the oldest work of the lane whose turn it is, whichever was submitted first.

    Of bulk `bulk_limit` are worked on at once, at most.
    """

    def __init__(self, max_workers: int, lane_of: Callable[..., str], bulk_limit: int | None = None) -> None:
        super().__init__(max_workers)
        self._lane_of = lane_of
        self._bulk_free = max_workers if bulk_limit is None else bulk_limit
        self._waiting = {lane: deque[tuple[Callable[[], Any], Future[Any]]]() for lane in LANES}
        self._turns = Turns()
        self._put_off = 0  #: how often a thread found nothing but bulk that may not begin
        self._change = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        name = self._lane_of(*args)
        lane = Lane(name) if name in LANES else LANES[0]
        future: Future[Any] = Future()
        with self._change:
            self._waiting[lane].append((lambda: fn(*args, **kwargs), future))
        super().submit(self._run_next)
        return future

    @property
    def waiting(self) -> int:
        """How much is not begun."""
        return sum(map(len, self._waiting.values()))

    def _run_next(self) -> None:
        taken = self._take()
        if taken is None:
            return
        lane, work, future = taken
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - as any executor: it belongs to whoever asked for the work
            future.set_exception(error)
        if lane is Lane.BULK:
            self._bulk_ended()

    def _take(self) -> tuple[Lane, Callable[[], Any], Future[Any]] | None:
        """What is to be begun; None where nothing but bulk waits, and bulk has its threads."""
        with self._change:
            for lane in self._turns.order():
                if self._waiting[lane] and (lane is not Lane.BULK or self._bulk_free):
                    self._turns.took(lane)
                    self._bulk_free -= lane is Lane.BULK
                    return lane, *self._waiting[lane].popleft()
            self._put_off += 1
            return None

    def _bulk_ended(self) -> None:
        with self._change:
            self._bulk_free += 1
            is_put_off = self._put_off > 0
            self._put_off -= is_put_off
        if is_put_off:
            with suppress(RuntimeError):  # shut down: the broker has the message still
                super().submit(self._run_next)


class LaneThreads(bootsteps.StartStopStep):
    """Gives the worker's pool the threads that bulk may not have; on RabbitMQ also the order."""

    requires: ClassVar = {"celery.worker.components:Pool"}

    def include_if(self, parent: Any) -> bool:
        return hasattr(getattr(parent, "pool", None), "executor")

    def create(self, parent: Any) -> None:
        # Before the consumer is made, which takes as many messages as there are threads.
        parent.bulk_limit = parent.pool.limit
        parent.concurrency = parent.pool.limit = threads_for(parent.pool.limit)

    def start(self, parent: Any) -> None:
        threads = parent.pool.limit
        parent.pool.executor.shutdown()
        if parent.app.connection_for_read().transport.driver_type == "amqp":
            parent.pool.executor = LaneExecutor(threads, _lane_of_request, parent.bulk_limit)
        else:
            parent.pool.executor = ThreadPoolExecutor(threads)


class LanePop(bootsteps.StartStopStep):
    """Has the worker pop from the lists of the lanes whose turn it is. Redis only."""

    requires: ClassVar = {"celery.worker.consumer.tasks:Tasks", "sightline.celery.intake:Intake"}

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        self._turns = Turns()
        self._pop: _Pop | None = None
        task_received.connect(self._note, weak=False)
        super().__init__(consumer, **kwargs)

    def start(self, parent: Any) -> None:
        channel = parent.task_consumer.channel
        if hasattr(channel, "_create_client"):
            keep_one_client(channel)
        bulk_limit = getattr(parent.controller, "bulk_limit", None)
        if bulk_limit is None or not hasattr(channel, "_brpop_start"):
            return
        self._pop = _Pop(channel, self._turns, bulk_limit)
        channel._brpop_start = self._pop.begin
        if parent.hub is not None:
            parent.hub.on_tick.add(self._pop.tick)
            self._take_together(parent, channel, self._pop)

    def stop(self, parent: Any) -> None:
        if self._pop is not None and parent.hub is not None:
            parent.hub.on_tick.discard(self._pop.tick)
            self._pop.stop()

    @staticmethod
    def _take_together(parent: Any, channel: Any, pop: _Pop) -> None:
        """Where whoever reads what is popped can read several."""
        reader = getattr(channel, "sightline_reader", None)
        if reader is not None:
            pop.taker = reader.taker = Taker(channel)
            pop.threads = parent.pool.num_processes
            reader.leave_out = pop.leave_out

    def _note(self, request: Any, **_: Any) -> None:
        lane = _popped_lane(request)
        self._turns.took(lane)
        if self._pop is not None:
            self._pop.last_lane = lane


class _Pop:
    """The blocking pop of one channel, in place of kombu's, which knows neither turns nor limits."""

    def __init__(self, channel: Any, turns: Turns, bulk_limit: int) -> None:
        self._channel = channel
        self._turns = turns
        self._bulk_limit = bulk_limit
        self._other_client = channel._create_client()
        self._other_kinds = OtherKinds(self._other_client)
        self._without_bulk = False
        self._socket: Any = None
        self._client_id: int | None = None
        self.taker: Taker | None = None  #: takes several at once
        self.threads = 1  #: of the worker
        self.last_lane = LANES[0]  #: of what was popped

    def begin(self, timeout: float | None = None) -> None:
        channel = self._channel
        stages = registry().positions
        # Of one lane the later stages first: what is half done was paid for, and waits only where others began it.
        queues = sorted(channel.active_queues, key=lambda queue: stages.get(queue, -1), reverse=True)
        if not queues:
            return
        self._without_bulk = not self._has_room_for_bulk()
        is_bulk_all = self._without_bulk and self.last_lane is Lane.BULK  # then there is nothing to take now
        if self.taker is not None and self.taker.is_due and not is_bulk_all:
            self._note_begin()
            self._take(self.taker, queues)
            return
        timeout = channel.brpop_timeout if timeout is None else timeout
        lanes = self._turns.order()
        if self._without_bulk:
            lanes = [lane for lane in lanes if lane is not Lane.BULK]
            timeout = timeout if self._learn_client_id() else _LOOK_AGAIN_S
        if self._other_kinds.is_due:
            self.leave_out()
        lists = (key for lane in lanes for queue in queues for key in lists_of(channel, queue, lane))
        keys = [channel.global_keyprefix + key for key in lists if key not in self._other_kinds.keys]
        if not keys:  # the next turn of the loop asks again
            return
        self._note_begin()
        channel.client.connection.send_command("BRPOP", *keys, timeout or 0)

    def leave_out(self) -> bool:
        """Find what is no list, and pop without it. Whether there is any."""
        channel = self._channel
        lists = [key for queue in channel.active_queues for lane in LANES for key in lists_of(channel, queue, lane)]
        return self._other_kinds.look(lists)

    def _note_begin(self) -> None:
        self._channel._in_poll = self._channel.client.connection
        self._channel._brpop_sent_at = monotonic()

    def _take(self, taker: Taker, queues: list[str]) -> None:
        """As many as there are threads for."""
        channel, held = self._channel, held_requests()
        self._without_bulk = False
        bulk = self._bulk_limit - sum(_popped_lane(request) is Lane.BULK for request in held)
        most, order = self._turns.together()
        shares: list[Share] = []
        for lane, of_lane in order:
            if lane is Lane.BULK:
                of_lane = min(of_lane, max(0, bulk))
                bulk -= of_lane
            shares.append(Share(LANE_PRIORITIES[lane], of_lane))
        # kombu asked before whether there is room for one; what is acknowledged may count until the next.
        room = min(self.threads - len(held), channel.qos.can_consume_max_estimate() or 1)
        taker.begin(queues, shares, max(1, min(most, room)))

    def tick(self) -> None:
        """At each turn of the worker's loop."""
        self._let_bulk_in()
        if self.taker is not None:
            self.taker.tick()

    def stop(self) -> None:
        if self.taker is not None:
            self.taker.stop()

    def _let_bulk_in(self) -> None:
        """End a pop without bulk as soon as bulk has room: the next is with it."""
        if not (self._without_bulk and self._client_id and self._channel._in_poll and self._has_room_for_bulk()):
            return
        from redis.exceptions import RedisError

        self._without_bulk = False
        if self.taker is not None:
            self.taker.noticed(1)  # bulk may wait for it
        with suppress(RedisError):  # then it ends by its time-out
            self._other_client.client_unblock(self._client_id)

    def _has_room_for_bulk(self) -> bool:
        return sum(_popped_lane(request) is Lane.BULK for request in held_requests()) < self._bulk_limit

    def _learn_client_id(self) -> int | None:
        """By what name Redis knows the connection that pops; None if this user may not ask."""
        from redis.exceptions import NoPermissionError

        client = self._channel.client
        if self._socket is None or client.connection._sock is not self._socket:
            try:
                self._client_id = int(client.client_id())
            except NoPermissionError:
                self._client_id = None
                log.warning(
                    "this user of Redis may not call CLIENT ID: bulk waits up to %g s for its turn", _LOOK_AGAIN_S
                )
            self._socket = client.connection._sock
        return self._client_id


def _popped_lane(request: Any) -> Lane:
    return lane_of((request.delivery_info or {}).get("priority"))


def _lane_of_request(_target: Any, args: tuple[Any, ...], *_: Any) -> str:
    """The lane in the name of the queue a request came from: `gpu.detect.live`."""
    delivery_info = args[2].get("delivery_info") or {}
    return str(delivery_info.get("routing_key")).rpartition(".")[2]


def add_lane_steps(app: Any) -> None:
    """Give the app's workers both steps."""
    from celery.worker.consumer.delayed_delivery import DelayedDelivery

    app.steps["worker"].add(LaneThreads)
    app.steps["consumer"].add(LanePop)
    # For tasks with a date, which we have none of, Celery would make 28 queues wherever it sees a quorum queue.
    DelayedDelivery.include_if = lambda self, c: False  # noqa: ARG005 - Celery's signature

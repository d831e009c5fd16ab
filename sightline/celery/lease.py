"""Two steps in a Celery worker that keep messages from being lost or worked on twice. Redis only.

`LeaseHeartbeat` lets the visibility time-out be short: it keeps refreshing the time-out of messages that are really
being worked on, so only those of a dead worker return. `DrainOnStop` gives back the message that a blocking pop may
have taken while the worker was stopping.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from queue import Empty
from typing import Any

from celery import bootsteps
from celery.worker import state

from sightline.celery.holds import MAX_HELD_S, Holds
from sightline.retry import Patience

log = logging.getLogger(__name__)

_AFTER_TASKS = {"celery.worker.consumer.tasks:Tasks"}


class LeaseHeartbeat(bootsteps.StartStopStep):
    """Refreshes, four times per visibility time-out, the messages of requests this worker holds.

    Only requests the worker still knows are refreshed: one that leaked keeps no lease and is delivered again.
    """

    requires = _AFTER_TASKS

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        self._stopped: threading.Event | None = None
        super().__init__(consumer, **kwargs)

    def start(self, parent: Any) -> None:
        channel = parent.task_consumer.channel
        if not hasattr(channel, "unacked_index_key"):
            return  # the broker returns messages itself when a connection dies
        self._stopped = threading.Event()
        index = (channel._create_client(), channel.unacked_index_key, channel.visibility_timeout)
        arguments = (self._stopped, Leases(parent.app.sightline_holds), parent.app.sightline_patience, *index)
        threading.Thread(target=_beat, args=arguments, name="lease", daemon=True).start()

    def stop(self, parent: Any) -> None:
        # A reconnect starts a new thread; a shutdown goes on beating until the last task has ended.
        if self._stopped and parent.blueprint.state == bootsteps.RUN:
            self._stopped.set()

    def shutdown(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        if self._stopped:
            self._stopped.set()


class Leases:
    """Which messages to go on holding: those that advance, and the others for a while."""

    def __init__(self, holds: Holds) -> None:
        self._holds = holds
        self._held_since: dict[str, float] = {}

    def fresh(self, requests: list[Any], *, is_outage: bool) -> dict[str, float]:
        """The time by the tag of each message that is not stuck. The time of an outage does not count."""
        now = time.time()
        before = {} if is_outage else self._held_since
        tags = {request.message.delivery_tag: request.id for request in requests}
        self._held_since = {tag: before.get(tag, now) for tag in tags}
        return {tag: now for tag, task_id in tags.items() if self._is_fresh(tag, task_id, now)}

    def _is_fresh(self, tag: str, task_id: str, now: float) -> bool:
        hold, since = self._holds.find(task_id), self._held_since[tag]
        if hold is None:  # it waits for its turn in this process
            return now - since < MAX_HELD_S
        return now - max(hold.since, since) < hold.without_progress_s


def _beat(
    stopped: threading.Event,
    leases: Leases,
    patience: Patience,
    redis: Any,
    index_key: str,
    visibility_timeout_s: float,
) -> None:
    from redis.exceptions import RedisError

    while not stopped.wait(max(0.5, visibility_timeout_s / 4)):
        fresh = leases.fresh(held_requests(), is_outage=patience.is_waiting)
        try:
            if fresh:
                redis.zadd(index_key, fresh, xx=True)  # xx: never brings an acknowledged message back
        except RedisError as error:
            log.warning("lease not refreshed, messages may be delivered twice: %s", error)


def held_requests() -> list[Any]:
    """The requests this worker works on. The set is weak and other threads change it: one copy."""
    requests_held: Any = state.reserved_requests
    references = requests_held.data.copy()
    return [request for reference in references if (request := reference()) is not None]


class DrainOnStop(bootsteps.StartStopStep):
    """Finishes the blocking pop before the worker waits for its tasks; what it took goes back to the queue."""

    requires = _AFTER_TASKS

    def stop(self, parent: Any) -> None:
        if parent.blueprint.state == bootsteps.RUN or parent.task_consumer is None:
            return
        channel = parent.task_consumer.channel
        parent.task_consumer.cancel()
        if getattr(channel, "_in_poll", None):
            with suppress(Empty):
                channel._brpop_read()  # at most the pop's second; without a consumer the message is put back


def add_delivery_steps(app: Any, patience: Patience, holds: Holds) -> None:
    """Give the app's workers both steps. Celery makes the steps itself, so the app carries what they need."""
    app.sightline_patience = patience
    app.sightline_holds = holds
    app.steps["consumer"].add(LeaseHeartbeat)
    app.steps["consumer"].add(DrainOnStop)

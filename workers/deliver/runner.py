"""One sink's events on their way: taken, sent, settled. Events of one source go one after the other."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sightline.errors import StoreUnavailableError
from sightline.settings import Settings
from sightline.tracing import SpanKind, Tracer
from sightline.wire.events import TEST_EVENT
from storage.database.engine import Database
from storage.sinks import deliveries
from storage.sinks.deliveries import DueDelivery, Failure
from storage.sinks.sinks import Sink, disable_sink
from workers.deliver.attempts import ATTEMPTS
from workers.deliver.breaker import Breaker, backoff_s
from workers.deliver.sender import NotDeliveredError, Sender, TargetGoneError, with_links

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Events taken together, at most; what was not begun after `BATCH_S` is given back.
_BATCH = 32
BATCH_S = 10.0
MARGIN_S = 30.0  #: on top of a batch and the last answer, before what was taken is due again
_DATABASE_PAUSE_S = 1.0


@dataclass
class _Outcome:
    """What became of a batch so far."""

    sent: list[str] = field(default_factory=list[str])
    failed: list[Failure] = field(default_factory=list[Failure])
    untried: list[DueDelivery] = field(default_factory=list[DueDelivery])
    gone: str = ""


class SinkRunner:
    """Runs from `start` until `stop`, or until its receiver says that it is gone."""

    def __init__(
        self, sink: Sink, sender: Sender, database: Database, settings: Settings, tracer: Tracer | None = None
    ) -> None:
        self.sink = sink
        self._tracer = tracer or Tracer()
        self._sender = sender
        self._database = database
        self._settings = settings
        self._breaker = Breaker(first_s=settings.delivery_retry_s, max_s=min(60, settings.delivery_max_retry_s))
        self._slots = asyncio.Semaphore(settings.delivery_concurrency)
        self._lease = timedelta(seconds=BATCH_S + settings.delivery_timeout_s + MARGIN_S)
        self._is_removed = False
        self._due = asyncio.Event()
        self._stop = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def start(self, after: asyncio.Task[None] | None) -> None:
        """`after`: the lane of the same sink before this one; its goodbye must come first."""
        self.task = asyncio.create_task(self._run(after), name=f"sink {self.sink.sink_id}")

    def wake(self) -> None:
        """Something is due."""
        self._due.set()

    def stop(self, *, is_removed: bool = False) -> None:
        """What is being sent is finished, nothing else begun. `is_removed`: the sink is gone for good."""
        self._is_removed = is_removed
        self._stop.set()
        self._due.set()

    async def _run(self, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.wait([after])
        await self._sender.open()
        try:
            while not self._stop.is_set():
                await self._due.wait()
                self._due.clear()
                while not self._stop.is_set() and await self._send_batch():
                    pass
            if self._is_removed:
                await self._forget()
        finally:
            await self._sender.close()

    async def _forget(self) -> None:
        try:
            await self._sender.forget()
        except NotDeliveredError as error:
            log.warning("sink %s was removed: %s", self.sink.sink_id, error)

    async def _send_batch(self) -> bool:
        """Returns whether there may be more."""
        if wait_s := self._breaker.wait_s:
            await pause(self._stop, wait_s)
            return True
        was_probing = self._breaker.is_probing
        batch = await self._stored(lambda: self._take(1 if was_probing else _BATCH))
        if not batch:
            return False
        outcome = await self._send_all(batch)
        await self._stored(lambda: self._settle(outcome), to_the_end=True)
        if outcome.gone:
            log.warning("sink %s is disabled: %s", self.sink.sink_id, outcome.gone)
            self.stop()
        elif was_probing and outcome.sent:
            log.info("sink %s takes events again", self.sink.sink_id)
            await self._stored(lambda: deliveries.hasten(self._database, self.sink.sink_id, datetime.now(UTC)))
        return True

    async def _send_all(self, batch: list[DueDelivery]) -> _Outcome:
        by_source: dict[str, list[DueDelivery]] = defaultdict(list)
        for delivery in batch:
            by_source[delivery.source_id].append(delivery)
        outcome = _Outcome()
        ends_at = asyncio.get_running_loop().time() + BATCH_S
        async with asyncio.TaskGroup() as group:
            for queue in by_source.values():
                group.create_task(self._send_source(queue, outcome, ends_at))
        return outcome

    async def _send_source(self, queue: list[DueDelivery], outcome: _Outcome, ends_at: float) -> None:
        """One after the other; what follows in a passage waits for an event that is to be tried again."""
        again: set[str | None] = set()
        for delivery in queue:
            async with self._slots:
                late = asyncio.get_running_loop().time() > ends_at
                waits = delivery.passage_id is not None and delivery.passage_id in again
                if late or waits or outcome.gone or self._stop.is_set() or self._breaker.wait_s:
                    outcome.untried.append(delivery)
                elif not await self._send(delivery, outcome):
                    again.add(delivery.passage_id)

    async def _send(self, delivery: DueDelivery, outcome: _Outcome) -> bool:
        """Returns whether that is its end: it was sent, or given up."""
        limit = 1 if delivery.topic == TEST_EVENT else self._settings.delivery_max_attempts
        if delivery.attempts > limit:
            # Who took it before never came to say what happened.
            outcome.failed.append(Failure(delivery.delivery_id, f"no attempt of {limit} came to an end", None))
            return True
        payload = with_links(delivery.payload, self._settings.public_url)
        kind, begun_at = self.sink.kind, time.monotonic()
        try:
            with self._tracer.span(f"send {delivery.topic}", SpanKind.CLIENT, payload.get("traceparent")) as span:
                span.note(sightline__sink=self.sink.sink_id, sightline__attempt=delivery.attempts)
                traced = {"traceparent": span.traceparent} if span.traceparent else {}
                await self._sender.send(delivery._replace(payload=payload | traced))
        except TargetGoneError as error:
            ATTEMPTS.took(kind, "gone", time.monotonic() - begun_at)
            outcome.gone = str(error)
            if delivery.topic == TEST_EVENT:  # whoever sent it waits for what happened
                told = f"the receiver {error}; the sink is disabled"
                outcome.failed.append(Failure(delivery.delivery_id, told, None))
            else:
                outcome.untried.append(delivery)
        except (NotDeliveredError, StoreUnavailableError) as error:
            ATTEMPTS.took(kind, "failed", time.monotonic() - begun_at)
            self._breaker.failed(error.retry_after_s)
            retry_at = None
            if delivery.attempts < limit:
                first_s, max_s = self._settings.delivery_retry_s, self._settings.delivery_max_retry_s
                retry_at = datetime.now(UTC) + timedelta(seconds=backoff_s(delivery.attempts, first_s, max_s))
            outcome.failed.append(Failure(delivery.delivery_id, str(error), retry_at))
            log.warning("sink %s, attempt %d: %s", self.sink.sink_id, delivery.attempts, error)
            return retry_at is None
        else:
            ATTEMPTS.took(kind, "sent", time.monotonic() - begun_at)
            self._breaker.succeeded()
            outcome.sent.append(delivery.delivery_id)
        return True

    def _take(self, limit: int) -> list[DueDelivery]:
        return deliveries.take_due(
            self._database, self.sink.sink_id, limit=limit, lease=self._lease, now=datetime.now(UTC)
        )

    def _settle(self, outcome: _Outcome) -> None:
        deliveries.settle(
            self._database,
            self.sink.sink_id,
            sent=outcome.sent,
            failed=outcome.failed,
            untried=outcome.untried,
            now=datetime.now(UTC),
        )
        if outcome.gone:
            disable_sink(self._database, self.sink.sink_id, f"the receiver {outcome.gone}")

    async def _stored(self, work: Callable[[], T], *, to_the_end: bool = False) -> T | None:
        """Database work, waited out while the database does not answer; `to_the_end`: even if this lane shall stop."""
        while to_the_end or not self._stop.is_set():
            try:
                return await asyncio.to_thread(work)
            except StoreUnavailableError as error:
                log.warning("sink %s waits for the database: %s", self.sink.sink_id, error)
                await asyncio.sleep(_DATABASE_PAUSE_S)
        return None


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until `stop` is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)

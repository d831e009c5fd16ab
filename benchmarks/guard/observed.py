"""What metrics and traces cost a frame that nothing else is done with: in percent of its way through the queues."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from benchmarks.guard.figures import Figure, Ratio
from benchmarks.guard.jobs import make_message
from benchmarks.guard.queue import way_of_a_frame
from sightline.celery.app import create_app
from sightline.delivery.broker import Broker
from sightline.delivery.handoff import Delivery
from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.delivery.publisher import Publisher
from sightline.local.embedded_redis import prepare_redis
from sightline.pipelines import registry
from sightline.pipelines.queues import DETECT_TASK, WRITE_TASK
from sightline.redis.connection import connect
from sightline.retry import Patience
from sightline.settings import load_settings
from sightline.testing import MemoryFrameStore
from sightline.tracing import SpanKind, Tracer, is_sampled
from sightline.tracing.otlp import OtlpTracer
from sightline.wire.about import about_job
from sightline.wire.messages import Message
from workers.housekeeping.spans import stage_span, tell_wait
from workers.housekeeping.times import TIMES

_JOBS = 100  #: of which one is traced, as is usual
_STAGES = (DETECT_TASK, WRITE_TASK)


class _Nowhere(SpanExporter):
    """Sending is another thread's, and a collector's."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002
        return SpanExportResult.SUCCESS


@contextmanager
def observed_figures(folder: Path) -> Generator[list[Figure]]:
    """A hundred jobs are observed for one that goes its way, so that the ratio is percent."""
    server = prepare_redis(folder / "redis-observed")
    process = subprocess.Popen(server.command, stdout=subprocess.DEVNULL)
    settings = load_settings(data_dir=folder, redis_url=server.url)
    ledger = Ledger(connect(server.url), LedgerLimits.from_settings(settings))
    broker = Broker(create_app(settings))
    publisher, delivery = Publisher(ledger, MemoryFrameStore(), broker), Delivery(ledger, broker, Patience())
    tracers = {sample: OtlpTracer("http://nowhere", "guard", sample=sample, exporter=_Nowhere()) for sample in (0, 1)}
    messages = [make_message(1) for _ in range(_JOBS)]

    def observe_all() -> Callable[[], Any]:
        def call() -> None:
            for number, message in enumerate(messages):
                _observe(message, tracers[not number])

        return call

    try:
        delivery.patience.insist(ledger.generation, "reach the Redis of this run")
        yield [
            Ratio(
                "observed",
                "percent that metrics and traces (1 % sampled) add to publish, begin, hand over, begin, settle",
                "workers/housekeeping/times.py, spans.py, sightline/tracing",
                observe_all,
                way_of_a_frame(publisher, delivery),
                pairs=20,
            )
        ]
    finally:
        for tracer in tracers.values():
            tracer.close()
        publisher.close()
        process.terminate()
        process.wait(20)


def _observe(message: Message, tracer: Tracer) -> None:
    """What the publisher and the workers of two stages do of it for one job."""
    with tracer.span(f"publish {message.job.pipeline}", SpanKind.PRODUCER, None) as span:
        if is_sampled(span.traceparent):
            span.note(**about_job(message.job))
            job = message.job.model_copy(update={"traceparent": span.traceparent})
            message = message.model_copy(update={"job": job})
    for task in _STAGES:
        TIMES.waited(registry().routes[task], message.job.lane, time.time() - message.handed_over_at)
        if is_sampled(message.job.traceparent):
            tell_wait(tracer, message, task)
        begun_at = time.monotonic()
        with stage_span(tracer, message, task):
            pass
        TIMES.worked(task, message.job.lane, 1, time.monotonic() - begun_at)

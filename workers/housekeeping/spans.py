"""The spans of a job that is traced: how long it waited for a stage, and the stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from sightline.pipelines import registry
from sightline.tracing import SpanKind, Tracer, is_sampled
from sightline.wire.about import about_job
from sightline.wire.messages import Message

_NOTHING: Final = nullcontext()


def tell_wait(tracer: Tracer, message: Message, task: str) -> None:
    """From where the stage before gave it away until now."""
    queue = registry().routes[task]
    span = tracer.begin(f"wait in {queue}", SpanKind.INTERNAL, message.job.traceparent, at=message.handed_over_at)
    span.note(messaging__destination__name=queue, sightline__lane=message.job.lane.value)
    span.end()


def stage_span(tracer: Tracer, message: Message, task: str) -> AbstractContextManager[None]:
    """While a stage works on a job. Nothing, and no time, where nobody records it."""
    return _stage_span(tracer, message, task) if is_sampled(message.job.traceparent) else _NOTHING


@contextmanager
def _stage_span(tracer: Tracer, message: Message, task: str) -> Iterator[None]:
    with tracer.span(task.rpartition(".")[2], SpanKind.CONSUMER, message.job.traceparent) as span:
        span.note(
            **about_job(message.job),
            messaging__system="celery",
            messaging__destination__name=registry().routes[task],
            sightline__shard=message.shard,
        )
        yield

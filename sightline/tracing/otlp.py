"""Spans by OpenTelemetry's SDK, sent in batches by a thread of their own: who works does not wait for a collector."""

from __future__ import annotations

import random
from importlib.metadata import version
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtlpSpan
from opentelemetry.trace import SpanKind as OtlpKind

from sightline.tracing.context import is_sampled
from sightline.tracing.tracer import Attribute, Span, SpanKind, Tracer

_TIMEOUT_S: Final = 2.0  #: for a batch; who ends waits for the last one
_KINDS: Final = {kind: OtlpKind[kind.name] for kind in SpanKind}


class OtlpTracer(Tracer):
    """Records a share of what begins here, and all that others began and record."""

    def __init__(self, endpoint: str, role: str, *, sample: float, exporter: SpanExporter | None = None) -> None:
        """`endpoint` is the address of a collector, as `http://collector:4318`.

        The exporter follows OpenTelemetry's own variables for what is not said here, as `OTEL_EXPORTER_OTLP_HEADERS`.
        """
        self._sample = sample
        self._provider = TracerProvider(
            sampler=ParentBased(ALWAYS_ON),
            resource=Resource.create(
                {
                    "service.name": f"sightline-{role}",
                    "service.namespace": "sightline",
                    "service.version": version("sightline"),
                }
            ),
        )
        exporter = exporter or OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_TIMEOUT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("sightline", version("sightline"))

    def begin(self, name: str, kind: SpanKind, parent: str | None, *, at: float | None = None) -> Span:
        # Decided before OpenTelemetry makes a span: one that nobody records would cost most of what all of this does.
        drawn = parent is None and random.random() < self._sample  # noqa: S311 - a share of jobs
        if not drawn and not is_sampled(parent):
            return Span(parent)
        context = None if parent is None else set_span_in_context(NonRecordingSpan(_context_of(parent)))
        span = self._tracer.start_span(name, context, _KINDS[kind], start_time=_ns(at))
        return _RecordedSpan(span) if span.is_recording() else Span()

    def close(self) -> None:
        self._provider.shutdown()


class _RecordedSpan(Span):
    def __init__(self, span: OtlpSpan) -> None:
        context = span.get_span_context()
        super().__init__(f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}")
        self._span = span

    def name(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, **attributes: Attribute | None) -> None:
        for name, value in attributes.items():
            if value is not None:
                self._span.set_attribute(name.replace("__", "."), value)

    def end(self, error: str | None = None, at: float | None = None) -> None:
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end(_ns(at))


def _context_of(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def _ns(at: float | None) -> Any:
    return None if at is None else int(at * 1e9)

"""Which trace a job belongs to, and where the spans of its way go: W3C's `traceparent`, OpenTelemetry behind it."""

from __future__ import annotations

from sightline.tracing.context import carried_on, current_traceparent, is_sampled, read_traceparent, trace_id_of
from sightline.tracing.tracer import SpanKind, Tracer, open_tracer

__all__ = [
    "SpanKind",
    "Tracer",
    "carried_on",
    "current_traceparent",
    "is_sampled",
    "open_tracer",
    "read_traceparent",
    "trace_id_of",
]

"""Traces: what of a `traceparent` is believed, whom a step belongs to, and who records it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sightline.errors import SettingsError
from sightline.settings import load_settings
from sightline.tracing import (
    SpanKind,
    Tracer,
    carried_on,
    current_traceparent,
    is_sampled,
    open_tracer,
    read_traceparent,
    trace_id_of,
)
from sightline.tracing.otlp import OtlpTracer

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"


@pytest.mark.parametrize("given", [SAMPLED, UNSAMPLED, f"00-{TRACE}-{SPAN}-03"])
def test_a_traceparent_is_read(given: str) -> None:
    assert read_traceparent(given) == given
    assert trace_id_of(given) == TRACE


def test_that_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert read_traceparent(f"cc-{TRACE}-{SPAN}-01-what-will-be") == SAMPLED


@pytest.mark.parametrize(
    "given",
    [
        None,
        7,
        b"00",
        "",
        "00",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01\n",
        f"cc-{TRACE}-{SPAN}-01-{'x' * 1000}",
    ],
)
def test_what_is_none_is_none(given: object) -> None:
    assert read_traceparent(given) is None


def test_the_flag_says_whether_it_is_recorded() -> None:
    assert is_sampled(SAMPLED)
    assert not is_sampled(UNSAMPLED)
    assert not is_sampled(None)


def test_what_is_done_belongs_to_the_span_that_is_open() -> None:
    assert current_traceparent() is None
    with TracerProvider().get_tracer("theirs").start_as_current_span("their request") as span:
        assert trace_id_of(current_traceparent() or "") == f"{span.get_span_context().trace_id:032x}"
        with carried_on(SAMPLED):
            assert current_traceparent() == SAMPLED
    assert current_traceparent() is None


def test_without_an_endpoint_nothing_is_recorded_and_all_is_passed_on() -> None:
    tracer = open_tracer(load_settings(), "api")
    assert type(tracer) is Tracer
    with tracer.span("work", SpanKind.CONSUMER, SAMPLED) as span:
        assert span.traceparent == SAMPLED
    assert tracer.begin("work", SpanKind.PRODUCER, None).traceparent is None


@pytest.mark.parametrize(
    "endpoint", ["collector:4317", "grpc://collector:4317", "http://collector/v1/traces", "ftp://a"]
)
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="SIGHTLINE_OTLP_ENDPOINT"):
        load_settings(otlp_endpoint=endpoint)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def recording(exporter: InMemorySpanExporter) -> Iterator[OtlpTracer]:
    tracer = OtlpTracer("http://nowhere", "worker", sample=0.0, exporter=exporter)
    yield tracer
    tracer.close()


def test_what_others_record_is_recorded_whatever_our_share(
    recording: OtlpTracer, exporter: InMemorySpanExporter
) -> None:
    with recording.span("detect", SpanKind.CONSUMER, SAMPLED) as span:
        span.note(sightline__job_id="j1", sightline__shard=None)
        assert is_sampled(span.traceparent)
        assert span.traceparent != SAMPLED
    recording.begin("ocr", SpanKind.CONSUMER, UNSAMPLED).end()
    recording.begin("a new trace", SpanKind.PRODUCER, None).end()
    recording.close()
    (found,) = exporter.get_finished_spans()
    assert found.name == "detect"
    assert dict(found.attributes or {}) == {"sightline.job_id": "j1"}
    assert found.parent is not None
    assert (f"{found.parent.trace_id:032x}", f"{found.parent.span_id:016x}") == (TRACE, SPAN)


def test_all_that_begins_here_is_recorded_if_wanted(exporter: InMemorySpanExporter) -> None:
    tracer = OtlpTracer("http://nowhere", "api", sample=1.0, exporter=exporter)
    root = tracer.begin("POST", SpanKind.SERVER, None, at=100.0)
    root.name("POST /v1/jobs")
    root.end(at=100.5)
    tracer.close()
    (found,) = exporter.get_finished_spans()
    assert found.name == "POST /v1/jobs"
    assert (found.start_time, found.end_time) == (100_000_000_000, 100_500_000_000)
    assert found.parent is None


def test_what_fails_is_an_error(recording: OtlpTracer, exporter: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="broken"), recording.span("write", SpanKind.CONSUMER, SAMPLED):
        raise ValueError("broken")
    recording.close()
    (found,) = exporter.get_finished_spans()
    assert found.status.description == "ValueError: broken"


def test_a_collector_that_does_not_answer_costs_the_work_nothing() -> None:
    tracer = OtlpTracer("http://127.0.0.1:9", "worker", sample=1.0)
    for _ in range(10):
        with tracer.span("work", SpanKind.CONSUMER, SAMPLED):
            pass
    tracer.close()

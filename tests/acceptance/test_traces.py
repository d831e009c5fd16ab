"""One trace from the request to the event, through real processes, as a collector gets it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from celery import Celery
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sightline.celery.transport import transport_of
from sightline.ids import new_id
from sightline.testing import make_picture
from sightline.wire.events import Event
from storage.sinks.sinks import add_sink, new_sink
from tests.acceptance.parts.doors import Doors, opened_doors
from tests.acceptance.parts.system import ROOT

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CAUSE = "00f067aa0ba902b7"


class Collector:
    """Stands for an OpenTelemetry collector, and for the receiver of a webhook."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []  #: with the name of the service
        self.posted: list[dict[str, Any]] = []  #: headers of events
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/v1/traces":
                    plain = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
                    collector.take(ExportTraceServiceRequest.FromString(plain))
                else:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    collector.posted.append(headers | {"body": json.loads(body)})
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.spans += [(names["service.name"], span) for scope in resource.scope_spans for span in scope.spans]

    def names(self, trace_id: str) -> set[tuple[str, str]]:
        """Services and spans of a trace."""
        return {(service, span.name) for service, span in self.spans if span.trace_id.hex() == trace_id}


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def doors(tmp_path: Path, redis_url: str, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")  # milliseconds
    stubs = {"plates_model": "stub", "text_model": "stub", "recognizer": "stub"}
    with opened_doors(tmp_path, redis_url, otlp_endpoint=collector.url, trace_sample=0.0, **stubs) as doors:
        with doors.system.database() as database:
            add_sink(database, new_sink(sink_id="hook", url=f"{collector.url}/hook", events=[Event.FRAME_STORED]))
        doors.system.start("detect", "ocr", "write")
        command = [sys.executable, "-m", "workers.deliver"]
        with (tmp_path / "deliver.log").open("wb") as log:
            deliver = subprocess.Popen(command, cwd=ROOT, env=doors.system.environment, stdout=log, stderr=log)
        yield doors
        deliver.terminate()
        deliver.wait(15)


def submit(doors: Doors, headers: dict[str, str]) -> dict[str, Any]:
    response = httpx.post(
        f"{doors.url}/v1/jobs",
        params={"pipeline": "plates", "source_id": "gate", "wait": 30},
        headers={"X-API-Key": doors.key, "content-type": "image/jpeg", **headers},
        content=make_picture(new_id()[-7:]),
        timeout=40,
        trust_env=False,
    )
    assert response.is_success, response.text
    return response.json()


def test_a_request_is_traced_to_its_row_and_its_event(doors: Doors, collector: Collector) -> None:
    job = submit(doors, {"traceparent": f"00-{TRACE}-{CAUSE}-01"})
    doors.wait_until(
        lambda: bool(collector.posted) and ("sightline-deliver", "send frame.stored") in collector.names(TRACE)
    )
    wanted = {
        ("sightline-api", "POST /v1/jobs"),
        ("sightline-api", "publish plates"),
        *(("sightline-worker", f"wait in {queue}") for queue in ("gpu.detect", "cpu.ocr", "db.write")),
        *(("sightline-worker", stage) for stage in ("detect", "ocr", "write")),
        ("sightline-deliver", "send frame.stored"),
    }
    doors.wait_until(lambda: wanted <= collector.names(TRACE))
    spans = {span.name: span for _, span in collector.spans if span.trace_id.hex() == TRACE}
    request, published = spans["POST /v1/jobs"], spans["publish plates"]
    assert request.parent_span_id.hex() == CAUSE
    assert published.parent_span_id == request.span_id
    assert {spans[name].parent_span_id for name in ("detect", "ocr", "write")} == {published.span_id}
    told = {one.key: one.value.string_value for one in spans["detect"].attributes}
    assert told["sightline.job_id"] == job["job_id"]

    (event,) = collector.posted
    sent = spans["send frame.stored"].span_id.hex()
    assert event["traceparent"] == f"00-{TRACE}-{sent}-01"
    assert event["body"]["traceparent"] == event["traceparent"]

    frame_id = job["frames"][0]["frame_id"] if "frames" in job else job["result"]["frames"][0]["frame"]["frame_id"]
    status, said, _ = doors.run("trace", frame_id, "--json")
    assert status == 0
    assert json.loads(said)["trace_id"] == TRACE


def test_what_nobody_traces_is_not_and_says_nothing(doors: Doors, collector: Collector) -> None:
    submit(doors, {})
    submit(doors, {"traceparent": f"00-{TRACE}-{CAUSE}-00"})
    submit(doors, {"traceparent": "no such thing"})
    doors.wait_until(lambda: len(collector.posted) == 3)
    assert collector.spans == []
    carried = [event.get("traceparent") for event in collector.posted]
    assert sorted(carried, key=str) == [f"00-{TRACE}-{CAUSE}-00", None, None]


def test_a_foreign_celery_producer_is_traced_by_its_headers(doors: Doors, collector: Collector) -> None:
    settings = doors.settings
    frame = {"frame_id": new_id(), "source_id": "gate", "captured_at": datetime.now(UTC).isoformat()}
    job = {"v": 1, "job": {"job_id": new_id(), "pipeline": "plates", "frames": [frame]}}
    queue = transport_of(settings.celery_broker_url).consumed({"gpu.detect"})[0]
    with Celery(broker=settings.celery_broker_url, set_as_current=False) as app:
        app.conf.task_create_missing_queues = True
        headers = {"traceparent": f"00-{TRACE}-{CAUSE}-01"}
        app.send_task("sightline.detect", kwargs={"message": job}, queue=queue, headers=headers)
    doors.wait_until(lambda: {("sightline-worker", "detect"), ("sightline-worker", "write")} <= collector.names(TRACE))

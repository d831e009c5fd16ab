"""`/metrics` of a role, over HTTP as Prometheus asks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import httpx
import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from sightline.metrics.families import Collector, counters, histograms
from sightline.metrics.server import serve_metrics
from sightline.settings import load_settings
from tests.conftest import free_port


class Two:
    def collect(self) -> Iterator[Metric]:
        yield counters("sightline_things", "Things.", ("kind",), {("a",): 2})
        yield histograms("sightline_sizes", "Sizes.", ("of",), {("x",): {1: 3, 5: 1, 900: 1}}, 1, 8)


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    ends: list[Callable[[], None]] = []

    def start(*collectors: Collector) -> str:
        port = free_port()
        ends.append(serve_metrics(load_settings(metrics_port=port), "worker", *collectors))
        return httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text

    yield start
    for end in ends:
        end()


def test_a_role_says_what_it_is_how_its_process_does_and_what_its_collectors_know(serve: Callable[..., str]) -> None:
    families = {family.name: family for family in text_string_to_metric_families(serve(Two()))}
    assert families["sightline_build_info"].samples[0].labels["role"] == "worker"
    assert families["process_resident_memory_bytes"].samples[0].value > 1_000_000
    assert families["sightline_things"].samples[0].name == "sightline_things_total"
    sizes = {(sample.name, sample.labels.get("le")): sample.value for sample in families["sightline_sizes"].samples}
    assert sizes["sightline_sizes_bucket", "1"] == 3
    assert sizes["sightline_sizes_bucket", "8"] == 4
    assert sizes["sightline_sizes_bucket", "+Inf"] == sizes["sightline_sizes_count", None] == 5
    assert sizes["sightline_sizes_sum", None] == 908


def test_a_port_that_is_taken_is_said_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    settings = load_settings(metrics_port=free_port())
    end = serve_metrics(settings, "one", Two())
    with caplog.at_level(logging.ERROR):
        serve_metrics(settings, "two", Two())()
    end()
    (said,) = [record.getMessage() for record in caplog.records]
    assert f"127.0.0.1:{settings.metrics_port}" in said
    assert "SIGHTLINE_METRICS_PORT" in said


def test_without_a_port_nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.metrics.server.start_http_server", pytest.fail)
    serve_metrics(load_settings(), "worker", Two())()

"""`/metrics` of one process, on a port of its own.

Without a key, because it says nothing but numbers; so it listens on this machine alone, unless the settings say
otherwise. In a network of containers that is not published they do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, start_http_server

from sightline.metrics.families import Collector, gauges
from sightline.settings import MetricsSettings

log = logging.getLogger(__name__)


def serve_metrics(settings: MetricsSettings, role: str, *collectors: Collector) -> Callable[[], None]:
    """Serve what the collectors know, and how the process does. Returns what ends that.

    A port that is taken is said in the log and ends nothing: a role that works unseen is better than none.
    """
    if not settings.metrics_port:
        return lambda: None
    registry = registry_of(role, *collectors)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    where = f"{settings.metrics_host}:{settings.metrics_port}"
    try:
        server, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        log.error("no metrics: %s cannot be listened on: %s; choose another SIGHTLINE_METRICS_PORT", where, error)
        return lambda: None
    log.info("metrics on http://%s/metrics", where)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def registry_of(role: str, *collectors: Collector) -> CollectorRegistry:
    """What Prometheus reads of a role."""
    registry = CollectorRegistry()
    registry.register(_Build(role))
    for collector in collectors:
        registry.register(collector)
    return registry


class _Build:
    def __init__(self, role: str) -> None:
        self._role = role

    def collect(self) -> Any:
        labels = ("role", "version")
        meaning = "1; its labels say what runs here."
        yield gauges("sightline_build_info", meaning, labels, {(self._role, version("sightline")): 1})

"""What became of attempts to send events, for Prometheus. By kind of sink: the API says what waits for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from prometheus_client import Histogram
from prometheus_client.core import Metric

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Attempts:
    """Of one process."""

    def __init__(self) -> None:
        self._took = Histogram(
            "sightline_sink_attempt_seconds",
            "What it took to send an event, or to fail.",
            ("kind", "outcome"),
            registry=None,
            buckets=_SECONDS,
        )

    def took(self, kind: str, outcome: Literal["sent", "failed", "gone"], seconds: float) -> None:
        """An attempt ended."""
        self._took.labels(kind, outcome).observe(seconds)

    def collect(self) -> Iterator[Metric]:
        yield from self._took.collect()


ATTEMPTS: Final = Attempts()

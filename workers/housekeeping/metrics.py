"""How a worker does, for Prometheus: its models and what it holds, read from counters that are there anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from prometheus_client.core import Metric

from sightline.celery.lease import held_requests
from sightline.metrics.families import Values, counters, gauge, gauges, histograms
from sightline.retry import Patience
from workers.batching.batcher import BatcherStats
from workers.batching.runner import Runner

_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128)
_RUNNER: Final = ("runner",)


class WorkerMetrics:
    """Reads the runners of the models that are open now."""

    def __init__(self, runners: Callable[[], Iterable[Runner[Any, Any]]], patience: Patience) -> None:
        self._runners = runners
        self._patience = patience

    def collect(self) -> Iterator[Metric]:
        stats = {(runner.name,): runner.stats for runner in self._runners()}
        yield counters("sightline_runner_items", "Items that ended.", _RUNNER, {n: s.items for n, s in stats.items()})
        yield counters(
            "sightline_runner_failed_items",
            "Of these, with an error.",
            _RUNNER,
            {n: s.failed for n, s in stats.items()},
        )
        yield gauges(
            "sightline_runner_waiting_items", "Items not yet taken.", _RUNNER, {n: s.waiting for n, s in stats.items()}
        )
        batched = {name: each for name, each in stats.items() if isinstance(each, BatcherStats)}
        yield histograms(
            "sightline_batch_size", "Items in a batch.", _RUNNER, {n: s.sizes for n, s in batched.items()}, *_SIZES
        )
        yield counters("sightline_batches", "Batches by why they were begun.", ("runner", "reason"), _flushed(batched))
        yield counters(
            "sightline_model_seconds", "Time in calls of the model.", _RUNNER, {n: s.busy_s for n, s in batched.items()}
        )
        yield gauge("sightline_worker_held_messages", "Messages this worker holds.", len(held_requests()))
        meaning = "1 while this worker waits for a service that does not answer."
        yield gauge("sightline_worker_waits_for_service", meaning, float(self._patience.waits_for_service))


def _flushed(batched: dict[tuple[str], BatcherStats]) -> Values:
    return {(name, reason): n for (name,), stats in batched.items() for reason, n in stats.flushed.items()}

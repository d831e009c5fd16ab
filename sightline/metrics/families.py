"""Numbers that are known already, as Prometheus wants them. Collectors yield these when they are asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

#: Values of the labels of a metric -> its number.
Values = Mapping[tuple[str, ...], float]


@runtime_checkable
class Collector(Protocol):
    """What `prometheus_client` can register."""

    def collect(self) -> Iterator[Metric]: ...


def gauge(name: str, meaning: str, value: float) -> Metric:
    """A number that goes up and down."""
    return GaugeMetricFamily(name, meaning, value=value)


def gauges(name: str, meaning: str, labels: tuple[str, ...], values: Values) -> Metric:
    """The same for each combination of labels."""
    metric = GaugeMetricFamily(name, meaning, labels=labels)
    for given, value in sorted(values.items()):
        metric.add_metric(given, value)
    return metric


def counters(name: str, meaning: str, labels: tuple[str, ...], values: Values) -> Metric:
    """Numbers that only grow while the process lives. `_total` is added to the name."""
    metric = CounterMetricFamily(name, meaning, labels=labels)
    for given, value in sorted(values.items()):
        metric.add_metric(given, value)
    return metric


def histogram_of(counts: Mapping[int, int], bounds: tuple[int, ...]) -> tuple[list[tuple[str, float]], int]:
    """Cumulated buckets and the sum, from how often each value was seen."""
    buckets = [(str(bound), float(sum(n for value, n in counts.items() if value <= bound))) for bound in bounds]
    buckets.append(("+Inf", float(sum(counts.values()))))
    return buckets, sum(value * n for value, n in counts.items())


def histograms(
    name: str, meaning: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], Mapping[int, int]], *bounds: int
) -> Metric:
    """Of whole numbers that are counted one by one."""
    metric = HistogramMetricFamily(name, meaning, labels=labels)
    for given, counts in sorted(values.items()):
        buckets, total = histogram_of(counts, bounds)
        metric.add_metric(given, buckets, total)
    return metric

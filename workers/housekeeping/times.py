"""What stages of this process took, for Prometheus: counted once a job and stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client.core import Metric

from sightline.types import Lane

#: From a null stage to a job that was held by an outage.
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class StageTimes:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        stage, queue = ("stage", "lane"), ("queue", "lane")
        self._waited = Histogram(
            "sightline_queue_wait_seconds",
            "From sending a message to its begin.",
            queue,
            registry=None,
            buckets=_SECONDS,
        )
        self._took = Histogram(
            "sightline_stage_seconds", "What a stage took for one job.", stage, registry=None, buckets=_SECONDS
        )
        self._frames = Counter("sightline_stage_frames", "Frames (items) that a stage worked on.", stage, registry=None)
        # To look one up by its labels costs more than to count.
        self._waited_in, self._worked_in = cache(self._of_queue), cache(self._of_stage)

    def waited(self, queue: str, lane: Lane, seconds: float) -> None:
        """A message was begun. Clocks of two machines may differ: it never waited less than nothing."""
        self._waited_in(queue, lane)(max(0.0, seconds))

    def worked(self, stage: str, lane: Lane, frames: int, seconds: float) -> None:
        """A stage is done with a job."""
        observe, count = self._worked_in(stage, lane)
        observe(seconds)
        count(frames)

    def collect(self) -> Iterator[Metric]:
        for each in (self._waited, self._took, self._frames):
            yield from each.collect()

    def _of_queue(self, queue: str, lane: Lane) -> Callable[[float], None]:
        return self._waited.labels(queue, lane.value).observe

    def _of_stage(self, stage: str, lane: Lane) -> tuple[Callable[[float], None], Callable[[float], None]]:
        return self._took.labels(stage, lane.value).observe, self._frames.labels(stage, lane.value).inc


#: Of this process, as its stages are.
TIMES: Final = StageTimes()

"""How long the oldest live frame has waited for a worker: what tells whether the workers keep up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from sightline.types import Lane, Pipeline


class QueueAges:
    """Asks what the sweeper asks too, and remembers when a queue was empty.

    What waits now was sent after the last look at which nothing waited. That bounds the age where the broker does not
    tell it, as RabbitMQ, and where the clocks of two hosts differ.
    """

    def __init__(self, waiting_since: Callable[[Lane, Pipeline], float]) -> None:
        """`waiting_since`: as `Broker.waiting_since`."""
        self._waiting_since = waiting_since
        self._empty_at: dict[Pipeline, float] = {}

    def look(self, pipelines: Iterable[Pipeline]) -> dict[Pipeline, float]:
        """The age of each in seconds, 0 where nothing waits.

        Raises:
            BrokerUnavailableError: the broker does not answer.
        """
        wanted = set(pipelines)
        self._empty_at = {pipeline: at for pipeline, at in self._empty_at.items() if pipeline in wanted}
        return {pipeline: self._age_s(pipeline) for pipeline in wanted}

    def _age_s(self, pipeline: Pipeline) -> float:
        now = time.time()
        since = self._waiting_since(Lane.LIVE, pipeline)
        if since >= now:
            self._empty_at[pipeline] = now
        return max(0.0, now - max(since, self._empty_at.setdefault(pipeline, now)))

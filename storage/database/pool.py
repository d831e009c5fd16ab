"""How many connections of its pool a process uses, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric
from sqlalchemy.pool import QueuePool

from sightline.metrics.families import gauge, gauges
from storage.database.engine import Database
from storage.database.opening import MAX_CONNECTIONS


class PoolMetrics:
    """Of one database as one process uses it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        pool = self._database.engine.pool
        if not isinstance(pool, QueuePool):
            return
        states = {("in_use",): pool.checkedout(), ("idle",): pool.checkedin()}
        yield gauges("sightline_database_connections", "Of this process, by state.", ("state",), states)
        yield gauge("sightline_database_connections_limit", "Of this process, at most.", MAX_CONNECTIONS)

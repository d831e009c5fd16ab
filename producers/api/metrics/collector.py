"""All that the API says to Prometheus. A store that does not answer, or not soon, takes away its own numbers alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

from prometheus_client.core import Metric

from producers.api.metrics.audit import BackgroundAudit
from producers.api.metrics.rows import cameras, database_size, dead_letters, lost, sinks
from producers.api.metrics.stores import memory_of, picture_disk, usable_frames
from producers.api.metrics.work import frames, leases, open_work, queues
from producers.api.services import ApiServices
from sightline.errors import SightlineError
from sightline.metrics.families import gauges
from sightline.redis.connection import connect
from storage.database.engine import require_writable
from storage.database.pool import PoolMetrics

log = logging.getLogger(__name__)

Part = Callable[[ApiServices], Iterable[Metric]]

#: Prometheus waits ten seconds for all of it.
_WITHIN_S: Final = 5.0
Found = tuple[list[Metric], float]


def _writable(services: ApiServices) -> Iterable[Metric]:
    """One that can only be read is of no use to a writer."""
    require_writable(services.database)
    return ()


#: What is asked of which store. The first part that fails ends the rest of its store: each may wait for a time-out.
_PARTS: Final[Mapping[str, Sequence[Part]]] = {
    "broker": (queues, leases),
    "redis": (open_work, frames),
    "frames": (usable_frames,),
    "database": (dead_letters, lost, sinks, database_size, _writable),
}


class StoreMetrics:
    """One of an API process; may be asked by several at once."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._audit = BackgroundAudit(services)
        self._told: set[str] = set()
        self._threads = ThreadPoolExecutor(len(_PARTS), thread_name_prefix="metrics")
        self._asked: dict[str, Future[Found]] = {}  #: what hangs is not asked again
        urls = {"broker": services.settings.celery_broker_url, "frames": services.settings.frame_store_url}
        self._redis = {name: connect(url) for name, url in urls.items() if url.startswith(("redis", "unix"))}

    def collect(self) -> Iterator[Metric]:
        up: dict[tuple[str], float] = {}
        for store, (found, is_up) in self._ask_all().items():
            up[(store,)] = is_up
            yield from found
        if up["redis",] and up["database",]:  # their rows are in one, how they do is in the other
            yield from self._ask("cameras", [cameras])[0]
        for name, redis in self._redis.items():
            found, is_up = self._ask(f"{name} memory", [lambda _, name=name, redis=redis: memory_of(name, redis)])
            up[(name,)] = min(is_up, up.get((name,), 1.0))
            yield from found
        yield gauges("sightline_store_up", "Whether a store answers the API: 1 or 0.", ("store",), up)
        yield from picture_disk(self._services)
        yield from PoolMetrics(self._services.database).collect()
        yield from self._audit.collect()

    def _ask_all(self) -> dict[str, Found]:
        """What each store told in time; nothing, and that it is down, of one that hangs."""
        for store, parts in _PARTS.items():
            if store not in self._asked or self._asked[store].done():
                self._asked[store] = self._threads.submit(self._ask, store, parts)
        asked = dict(self._asked)
        answered, _ = wait(asked.values(), _WITHIN_S)
        return {store: future.result() if future in answered else ([], 0.0) for store, future in asked.items()}

    def _ask(self, store: str, parts: Sequence[Part]) -> Found:
        """What is there, and 1 if that is all of it."""
        found: list[Metric] = []
        try:
            for part in parts:
                found += part(self._services)
        except SightlineError as error:
            if store not in self._told:
                log.warning("metrics of %s are left out: %s", store, error)
            self._told.add(store)
            return found, 0.0
        self._told.discard(store)
        return found, 1.0

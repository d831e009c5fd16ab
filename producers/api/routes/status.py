"""How the system does, in numbers: `/v1/status` for people and commands, `/metrics` for Prometheus."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from pydantic import BaseModel, Field

from producers.api.access.auth import require
from producers.api.middleware.problems import ALWAYS
from producers.api.services import ApiServices, Given
from storage.access.keys import Role
from storage.accounting import throughput
from storage.results.dead_letters import count_troubles

router = APIRouter(tags=["operations"], responses=ALWAYS, dependencies=[Depends(require(Role.VIEWER))])

_OVER_S: Final = 60.0
#: Open jobs come in the order in which they are due; the oldest is among the first.
_LOOKED_AT: Final = 200


class Disk(BaseModel):
    """The disk that kept pictures lie on, as the API's machine sees it."""

    bytes: int
    free_bytes: int


class Status(BaseModel):
    """Numbers of this moment."""

    frames_per_s: float = Field(description="Frames whose jobs ended in the last minute, a second.")
    open_frames: int = Field(description="Accepted and not finished.")
    oldest_open_s: float | None = Field(description="How long ago the oldest open job was published; null: none is.")
    waiting: dict[str, int] = Field(description="Messages that wait, per queue.", examples=[{"gpu.detect": 3}])
    dead_letters: int = Field(description="Frames that gave up and that nobody has taken care of.")
    database_bytes: int
    picture_disk: Disk | None = Field(description="Null where pictures do not lie in a folder.")


@router.get("/v1/status", summary="Throughput, waits, disk")
def get_status(services: Given) -> Status:
    """What `sightline status` prints."""
    ledger = services.publisher.ledger
    published = [job.published_at for job in ledger.open_jobs(limit=_LOOKED_AT)]
    return Status(
        frames_per_s=throughput.frames_per_s(services.database, over_s=_OVER_S),
        open_frames=sum(ledger.open_frames().values()),
        oldest_open_s=max(0.0, time.time() - min(published)) if published else None,
        waiting=services.publisher.queue_depths(),
        dead_letters=count_troubles(services.database),
        database_bytes=throughput.size_bytes(services.database),
        picture_disk=_picture_disk(services),
    )


@router.get(
    "/metrics",
    summary="The same for Prometheus",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {}}, "description": "Text format of Prometheus."}},
)
def get_metrics(services: Given) -> Response:
    """The numbers of `/v1/status`, and frames by outcome since Redis counts."""
    metrics = CollectorRegistry()
    metrics.register(_Collector(services))
    return Response(generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)


class _Collector:
    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        status = get_status(self._services)
        waiting = GaugeMetricFamily("sightline_queue_messages", "Messages that wait.", labels=["queue"])
        for queue, messages in status.waiting.items():
            waiting.add_metric([queue], messages)
        yield waiting
        yield _gauge("sightline_open_frames", "Frames accepted and not finished.", status.open_frames)
        yield _gauge("sightline_oldest_open_seconds", "Age of the oldest open job; 0: none.", status.oldest_open_s or 0)
        yield _gauge("sightline_dead_letters", "Frames that gave up and nobody took care of.", status.dead_letters)
        yield _gauge("sightline_database_bytes", "Size of the database.", status.database_bytes)
        if status.picture_disk is not None:
            free = status.picture_disk.free_bytes
            yield _gauge("sightline_picture_disk_free_bytes", "Free on the disk of the kept pictures.", free)
        yield self._frames()

    def _frames(self) -> Metric:
        """Of all sources together: cameras may be many."""
        totals: dict[tuple[str, str], int] = {}
        for outcomes in self._services.publisher.ledger.counts().values():
            for outcome, frames in outcomes.items():
                name, _, reason = outcome.partition(":")
                totals[name, reason] = totals.get((name, reason), 0) + frames
        metric = CounterMetricFamily("sightline_frames", "Frames by what became of them.", labels=["outcome", "reason"])
        for (outcome, reason), frames in sorted(totals.items()):
            metric.add_metric([outcome, reason], frames)
        return metric


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def _picture_disk(services: ApiServices) -> Disk | None:
    url = urlsplit(services.settings.picture_store_url)
    folder = Path(unquote(url.path))
    if url.scheme != "file" or not folder.is_dir():
        return None
    usage = shutil.disk_usage(folder)
    return Disk(bytes=usage.total, free_bytes=usage.free)

"""How the system does, in numbers: `/v1/status` for people and commands, `/metrics` for Prometheus."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from producers.api.access.auth import require
from producers.api.metrics.stores import Disk, disk_of_pictures
from producers.api.metrics.work import oldest_open_s
from producers.api.middleware.problems import ALWAYS
from producers.api.services import Given
from sightline.metrics.server import registry_of
from storage.access.keys import Role
from storage.accounting import throughput
from storage.results.dead_letters import count_troubles

router = APIRouter(tags=["operations"], responses=ALWAYS, dependencies=[Depends(require(Role.VIEWER))])

_OVER_S: Final = 60.0


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
    return Status(
        frames_per_s=throughput.frames_per_s(services.database, over_s=_OVER_S),
        open_frames=sum(ledger.open_frames().values()),
        oldest_open_s=oldest_open_s(services),
        waiting=services.publisher.queue_depths(),
        dead_letters=count_troubles(services.database),
        database_bytes=throughput.size_bytes(services.database),
        picture_disk=disk_of_pictures(services),
    )


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {}}, "description": "Text format of Prometheus."}},
)
def get_metrics(request: Request) -> Response:
    """What the stores know: queues, frames by outcome, dead letters, sinks, cameras, Redis, the database.

    Workers, cameras and deliver serve their own numbers, on `SIGHTLINE_METRICS_PORT`.
    """
    return Response(generate_latest(registry_of("api", request.app.state.metrics)), media_type=CONTENT_TYPE_LATEST)

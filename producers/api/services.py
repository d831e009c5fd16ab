"""What the endpoints work with, opened once when the API starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final

import redis
import redis.asyncio
from fastapi import Depends, Request

from sightline.blobs.opening import open_frame_store
from sightline.blobs.store import FrameStore
from sightline.delivery.delta_stream import AsyncDeltaStream
from sightline.delivery.publisher import Publisher
from sightline.delivery.result_board import AsyncResultBoard
from sightline.redis.connection import connect, connect_async
from sightline.settings import Settings
from sightline.tracing import Tracer, open_tracer
from storage.accounting.agreement import same_installation
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.jobs.accepted import Accepted

#: Requests that wait for a result; each holds a connection to Redis and one to its client, and processes may often
#: have 1024 files open. Who comes on top is told to try again.
_MAX_WAITING: Final = 400


@dataclass(frozen=True)
class ApiServices:
    settings: Settings
    database: Database
    accepted: Accepted
    publisher: Publisher
    board: AsyncResultBoard
    deltas: AsyncDeltaStream
    pictures: FrameStore
    redis: redis.Redis
    async_redis: redis.asyncio.Redis
    tracer: Tracer = field(default_factory=Tracer)

    async def close(self) -> None:
        self.publisher.close()
        self.redis.close()
        await self.async_redis.aclose()
        self.database.close()


def open_services(settings: Settings) -> ApiServices:
    """Connects lazily: the API starts, and says so in `/readyz`, while Redis or the database is down."""
    database = open_database(settings.sqlalchemy_url)
    accepted = Accepted.from_settings(database, settings)
    async_redis = connect_async(settings.redis_url, max_connections=_MAX_WAITING)
    tracer = open_tracer(settings, "api")
    publisher = Publisher.from_settings(settings, accepted.keep if settings.api_durable else None, tracer)
    publisher.only_if(same_installation(database, publisher.ledger.agreement).require)
    return ApiServices(
        settings=settings,
        database=database,
        accepted=accepted,
        publisher=publisher,
        board=AsyncResultBoard(async_redis),
        deltas=AsyncDeltaStream(async_redis),
        pictures=open_frame_store(settings.picture_store_url, ttl_s=None),
        redis=connect(settings.redis_url),
        async_redis=async_redis,
        tracer=tracer,
    )


def get_services(request: Request) -> ApiServices:
    return request.app.state.services


Given = Annotated[ApiServices, Depends(get_services)]

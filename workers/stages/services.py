"""What every stage is given: the settings and the few things it talks to."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass, field

from celery import Celery
from redis import Redis

from sightline.blobs.opening import open_frame_store
from sightline.blobs.store import FrameStore
from sightline.celery.holds import Holds
from sightline.delivery.branches import Branches
from sightline.delivery.broker import Broker
from sightline.delivery.cancellations import Cancellations
from sightline.delivery.delta_stream import DeltaStream
from sightline.delivery.handoff import Delivery
from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.delivery.result_board import ResultBoard
from sightline.errors import BrokerUnavailableError, NotPermittedError
from sightline.redis.condition import require_usable
from sightline.redis.connection import broker_errors, connect
from sightline.retry import Patience
from sightline.settings import Settings
from sightline.tracing import Tracer, open_tracer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    settings: Settings
    delivery: Delivery
    frames: FrameStore
    board: ResultBoard
    worker_name: str
    cancellations: Cancellations
    holds: Holds
    branches: Branches
    deltas: DeltaStream
    tracer: Tracer = field(default_factory=Tracer)


def open_services(
    app: Celery,
    settings: Settings,
    worker_name: str,
    patience: Patience,
    *,
    concurrency: int = 0,
    holds: Holds | None = None,
) -> Services:
    """Connect to everything a stage needs; at once for so many tasks side by side, the others when they come."""
    redis, broker = connect(settings.redis_url), Broker(app)
    _connect_now(redis, broker, concurrency)
    _look_at(redis)
    ledger = Ledger(redis, LedgerLimits.from_settings(settings))
    frames = open_frame_store(settings.frame_store_url, ttl_s=settings.frame_ttl_s)
    return Services(
        settings=settings,
        delivery=Delivery(ledger, broker, patience),
        frames=frames,
        board=ResultBoard(redis, result_ttl_s=settings.result_ttl_s),
        worker_name=settings.worker_name or worker_name,
        cancellations=Cancellations(ledger),
        holds=holds or Holds(),
        branches=Branches(ledger.arrivals, frames, broker),
        deltas=DeltaStream(redis, ttl_s=settings.result_ttl_s),
        tracer=open_tracer(settings, "worker"),
    )


def _look_at(redis: Redis) -> None:
    """Raises SettingsError: this Redis throws away accepted work, or cannot do what is needed."""
    try:
        condition = require_usable(redis)
    except BrokerUnavailableError:
        return  # said where it is waited for
    if condition is not None:
        for warning in condition.warned:
            log.warning("%s: %s", condition.server, warning)


def _connect_now(redis: Redis, broker: Broker, count: int) -> None:
    """Fill the pools, so that the first busy moment waits for no handshake. If nobody answers yet, it is left.

    Raises:
        NotPermittedError: Redis does not let this user in.
    """
    try:
        with broker_errors(), ExitStack() as borrowed:
            for _ in range(count):
                connection = redis.connection_pool.get_connection()
                borrowed.callback(redis.connection_pool.release, connection)
            broker.connect(count)
    except NotPermittedError:
        raise
    except (BrokerUnavailableError, OSError) as error:
        log.info("nobody answers yet: %s", error)

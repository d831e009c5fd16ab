"""What every stage is given: the settings and the few things it talks to."""

from __future__ import annotations

from dataclasses import dataclass

from celery import Celery

from sightline.broker import Broker
from sightline.delivery import Delivery
from sightline.frames import FrameStore, open_frame_store
from sightline.ledger import Ledger, LedgerLimits
from sightline.patience import Patience
from sightline.redis_connection import connect
from sightline.results import ResultBoard
from sightline.settings import Settings


@dataclass(frozen=True)
class Services:
    settings: Settings
    delivery: Delivery
    frames: FrameStore
    board: ResultBoard
    worker_name: str


def open_services(app: Celery, settings: Settings, worker_name: str, patience: Patience) -> Services:
    """Connect lazily to everything a stage needs."""
    redis = connect(settings.redis_url)
    return Services(
        settings=settings,
        delivery=Delivery(Ledger(redis, LedgerLimits.from_settings(settings)), Broker(app), patience),
        frames=open_frame_store(settings.frame_store_url, ttl_s=settings.frame_ttl_s),
        board=ResultBoard(redis, result_ttl_s=settings.result_ttl_s),
        worker_name=settings.worker_name or worker_name,
    )

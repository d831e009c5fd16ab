"""Sightline: cameras and uploads become rows you can trust.

    from sightline import Sightline
    job = Sightline().submit("car.jpg", pipeline="plates")
    print(job.wait(timeout_s=10).readings)

Clients: `Sightline` and, for asyncio, `AsyncSightline`; what they give back: `SubmittedJob` (`AsyncSubmittedJob`) and
`JobResult` with its `FrameResult`s, `Detection`s and `Reading`s; `Done` of `submit_many`. Errors: `SightlineError` is
the base of all; `RetryableError` (`BacklogFullError`, `BrokerUnavailableError`, `StoreUnavailableError`,
`WaitTimeoutError`) may pass with time, `PoisonError` (`BadImageError`, `BadMessageError`) does not. Settings:
`load_settings`.

This package is the floor: what every process must agree on. It is light and does nothing at import; the clients,
which need Celery and Redis, are loaded when first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sightline.errors import (
    AnswerError,
    BacklogFullError,
    BadImageError,
    BadMessageError,
    BrokerUnavailableError,
    JobCancelledError,
    PoisonError,
    RetryableError,
    SettingsError,
    SightlineError,
    StoreUnavailableError,
    WaitTimeoutError,
)
from sightline.types import Detection, FrameRef, FrameResult, JobResult, JobStatus, Lane, Pipeline, Reading

if TYPE_CHECKING:
    from sightline.client.answers import Audit, Camera, Finding, Passage
    from sightline.client.awaited import AsyncSightline, AsyncSubmittedJob
    from sightline.client.client import Sightline, SubmittedJob
    from sightline.client.many import Done
    from sightline.delivery.delta_stream import StreamEvent
    from sightline.settings import Settings, load_settings

__version__ = "0.1.0"

__all__ = [
    "AnswerError",
    "AsyncSightline",
    "AsyncSubmittedJob",
    "Audit",
    "BacklogFullError",
    "BadImageError",
    "BadMessageError",
    "BrokerUnavailableError",
    "Camera",
    "Detection",
    "Done",
    "Finding",
    "FrameRef",
    "FrameResult",
    "JobCancelledError",
    "JobResult",
    "JobStatus",
    "Lane",
    "Passage",
    "Pipeline",
    "PoisonError",
    "Reading",
    "RetryableError",
    "Settings",
    "SettingsError",
    "Sightline",
    "SightlineError",
    "StoreUnavailableError",
    "StreamEvent",
    "SubmittedJob",
    "WaitTimeoutError",
    "load_settings",
]

_LAZY = {
    "AsyncSightline": "sightline.client.awaited",
    "AsyncSubmittedJob": "sightline.client.awaited",
    "Audit": "sightline.client.answers",
    "Camera": "sightline.client.answers",
    "Done": "sightline.client.many",
    "Finding": "sightline.client.answers",
    "Passage": "sightline.client.answers",
    "Sightline": "sightline.client.client",
    "StreamEvent": "sightline.delivery.delta_stream",
    "SubmittedJob": "sightline.client.client",
    "Settings": "sightline.settings",
    "load_settings": "sightline.settings",
}


def __dir__() -> list[str]:
    """What is loaded later is listed too, so that `help(sightline)` and completion show the clients."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'sightline' has no attribute {name!r}")

"""How each camera does right now, in Redis: written by the camera process each second, read by whoever asks.

A status lives `TTL_S`; a camera without one is `offline`, so a dead camera process shows within that time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime, Field

from sightline.redis.connection import broker_errors
from sightline.types import Value

if TYPE_CHECKING:
    import redis

TTL_S = 15

#: What is wrong with the pictures of a camera that sends some.
Condition = Literal["frozen", "dark", "covered", "moved", "sub_only"]
CameraState = Literal["starting", "running", "reconnecting", "paused", "ended", "offline"]


class CameraStatus(Value):
    """Counters count from the start of the camera process and survive reconnects and changes of the row.

    `sampled = thinned + gated + dropped + published`, but for the few frames that are on their way.
    """

    state: CameraState = "offline"
    condition: Condition | None = None  #: what is wrong with what it sees; None: nothing, or not looked at
    frames_read: int = 0  #: frames the source delivered
    unreadable: int = 0  #: of these, arrived damaged: no reading of them could be trusted
    sampled: int = 0  #: of these, taken at the wanted rate
    thinned: int = 0  #: of these, left out because the budget was lower than the wanted rate
    gated: int = 0  #: of these, held back because nothing moved
    dropped: dict[str, int] = Field(default_factory=dict)  #: sampled and not published, by reason
    published: int = 0  #: accepted by the ledger
    from_sub: int = 0  #: pictures of the sub stream that were taken because the main stream had none
    saved_percent: float = 0.0  #: the share of `thinned` and `gated` in `sampled`
    fps: float = 0.0  #: frames read per second, over the last seconds
    budget_fps: float | None = None  #: frames taken per second now, between the limits of the row; None: not read
    last_frame_at: AwareDatetime | None = None
    last_error: str | None = None  #: the newest error, without credentials; it stays after a recovery


def read_statuses(redis: redis.Redis, camera_ids: Iterable[str]) -> dict[str, CameraStatus]:
    """One status per camera.

    Raises:
        BrokerUnavailableError: Redis did not answer.
    """
    ids = list(camera_ids)
    if not ids:
        return {}
    with broker_errors():
        found: Any = redis.mget([_key(camera_id) for camera_id in ids])
    return {
        camera_id: CameraStatus.model_validate_json(status) if status else CameraStatus()
        for camera_id, status in zip(ids, found, strict=True)
    }


def write_statuses(redis: redis.Redis, statuses: Mapping[str, CameraStatus]) -> None:
    """Raises `BrokerUnavailableError`."""
    with broker_errors():
        pipe = redis.pipeline(transaction=False)
        for camera_id, status in statuses.items():
            pipe.set(_key(camera_id), status.model_dump_json(), ex=TTL_S)
        pipe.execute()


def forget_statuses(redis: redis.Redis, camera_ids: Iterable[str]) -> None:
    """Cameras that are gone are `offline` at once. Raises `BrokerUnavailableError`."""
    keys = [_key(camera_id) for camera_id in camera_ids]
    if keys:
        with broker_errors():
            redis.unlink(*keys)


def _key(camera_id: str) -> str:
    return f"sightline:camera:{camera_id}"

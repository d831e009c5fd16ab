"""Follows how cameras do, and tells sinks when that has changed for good. In a thread of its own beside the sweeper."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sightline.camera_status import CameraStatus, read_statuses
from sightline.errors import RetryableError
from storage.camera_health import CameraHealth, Told, load_told, note_health
from storage.database.engine import Database

if TYPE_CHECKING:
    import redis

log = logging.getLogger(__name__)

_EVERY_S: Final = 2.0
#: So long it must last before it is told. A stream that breaks is opened again within seconds, and a camera that comes
#: and goes is told as neither. What is wrong with pictures has lasted before it is in the status.
_OFFLINE_S, _WELL_S, _SEES_BADLY_S = 20.0, 10.0, 4.0


class CameraHealthWatch:
    """A daemon thread. `run_once` does one round and is what tests call.

    Every writer has one. What was told is in the database, so that each change is told by one of them, and once.
    """

    def __init__(self, database: Database, redis: redis.Redis) -> None:
        self._database = database
        self._redis = redis
        self._seen: dict[str, tuple[CameraHealth | None, float]] = {}  #: by camera: what is seen, and since when
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera-health", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the transaction it is in is over."""
        self._stopped.set()
        self._thread.join(10)

    def run_once(self, now_s: float | None = None) -> None:
        """`now_s`: seconds on a clock that only goes forward. Raises `RetryableError`: nothing is known just now."""
        now_s = time.monotonic() if now_s is None else now_s
        cameras = load_told(self._database)
        statuses = read_statuses(self._redis, [camera.camera_id for camera in cameras])
        self._seen = {name: seen for name, seen in self._seen.items() if name in statuses}
        for camera in cameras:
            self._follow(camera, statuses[camera.camera_id], now_s)

    def _follow(self, camera: Told, status: CameraStatus, now_s: float) -> None:
        health = _health(camera, status)
        seen, since_s = self._seen.get(camera.camera_id, (health, now_s))
        if seen != health:
            since_s = now_s
        self._seen[camera.camera_id] = health, since_s
        if health == camera.health or now_s - since_s < _lasts_s(health):
            return
        message = status.last_error if health == "offline" else None
        if note_health(self._database, camera, health, message, datetime.now(UTC)) and health is not None:
            log.log(logging.INFO if health == "ok" else logging.WARNING, "camera %s: %s", camera.camera_id, health)

    def _run(self) -> None:
        answers = True
        while not self._stopped.wait(_EVERY_S):
            try:
                self.run_once()
                answers = True
            except RetryableError as error:
                if answers:
                    log.warning("how cameras do is not known: %s", error)
                answers = False
                self._seen.clear()  # what was not seen has not lasted
            except Exception:  # must not end by a bug: it is loud and tries again
                log.exception("following how cameras do failed")


def _health(camera: Told, status: CameraStatus) -> CameraHealth | None:
    """What a look says. Nothing is to be said of a camera that is paused, or of a file that ended."""
    if not camera.enabled or status.state in ("paused", "ended"):
        return None
    return status.condition or "ok" if status.state == "running" else "offline"


def _lasts_s(health: CameraHealth | None) -> float:
    if health is None:
        return 0.0
    return {"ok": _WELL_S, "offline": _OFFLINE_S}.get(health, _SEES_BADLY_S)

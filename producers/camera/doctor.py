"""`python -m producers.camera.doctor`: whether cameras can be reached, for `sightline doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from producers.camera.probe import probe_camera
from producers.camera.sources.source import SourceOptions
from sightline.camera_status import CameraStatus, read_statuses
from sightline.doctor.elsewhere import answer
from sightline.doctor.finding import Finding, bad, ok, warn
from sightline.images.header import ImageLimits
from sightline.redis.connection import connect
from sightline.settings import Settings
from storage.cameras import Camera, list_cameras
from storage.database.opening import open_database, require_existing

_AT_ONCE: Final = 4
_LOOK_S: Final = 1.0
_OPEN_WITHIN_S: Final = 5.0


def look_at_cameras(settings: Settings) -> Iterator[Finding]:
    """What the camera process says of each; those that it does not read are tried from here."""
    require_existing(settings.sqlalchemy_url)
    database = open_database(settings.sqlalchemy_url)
    try:
        cameras = [camera for camera in list_cameras(database) if camera.enabled]
    finally:
        database.close()
    statuses = read_statuses(connect(settings.redis_url), [camera.camera_id for camera in cameras])
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        yield from threads.map(lambda camera: _look(camera, statuses[camera.camera_id], settings), cameras)


def _look(camera: Camera, status: CameraStatus, settings: Settings) -> Finding:
    what = f"camera: {camera.camera_id}"
    if status.state in ("running", "ended"):
        says = f"{status.state}, {status.fps:.1f} frames/s"
        if status.condition:
            return warn(what, f"{says}, {status.condition}", "look at what it sees")
        return ok(what, says)
    found = probe_camera(camera.url.get_secret_value(), _options(settings), _LOOK_S)
    if found.error:
        cure = (
            f"is it on and in the network, and is its URL right? sightline cameras change {camera.camera_id} --url URL"
        )
        return bad(what, f"{status.state}: {found.error}", cure)
    says = f"{status.state}, though it can be read from here ({found.kind}, {found.width}x{found.height})"
    return warn(what, says, "is python -m producers.camera running?")


def _options(settings: Settings) -> SourceOptions:
    return SourceOptions(
        open_timeout_s=min(settings.camera_open_timeout_s, _OPEN_WITHIN_S),
        read_timeout_s=min(settings.camera_read_timeout_s, _OPEN_WITHIN_S),
        allow_private=settings.allow_private_urls,
        limits=ImageLimits(settings.max_image_mb, settings.max_image_mpx),
    )


if __name__ == "__main__":
    raise SystemExit(answer(("cameras", look_at_cameras)))

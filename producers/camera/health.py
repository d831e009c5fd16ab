"""`python -m producers.camera.health`: health check of the camera process. Exit status 0 while it reports, else 1.

It writes a status for each camera every second, which lives for seconds: an enabled camera without one means that
the process hangs. A camera that reconnects is no reason to restart anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sightline.camera_status import CameraStatus, read_statuses
from sightline.errors import SightlineError
from sightline.redis.connection import connect
from sightline.settings import load_settings
from storage.cameras import Camera, list_cameras
from storage.database.opening import open_database


def unreported(cameras: Iterable[Camera], statuses: Mapping[str, CameraStatus]) -> list[str]:
    """Ids of the enabled cameras nobody reports on."""
    return [camera.camera_id for camera in cameras if camera.enabled and statuses[camera.camera_id].state == "offline"]


def main() -> int:
    try:
        settings = load_settings()
        database = open_database(settings.sqlalchemy_url)
        cameras = list_cameras(database)
        statuses = read_statuses(connect(settings.redis_url), [camera.camera_id for camera in cameras])
    except SightlineError as error:
        print(error)
        return 1
    missing = unreported(cameras, statuses)
    print(f"no status of {', '.join(missing)}" if missing else f"{len(cameras)} cameras reported")
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())

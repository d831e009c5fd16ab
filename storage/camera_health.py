"""What was told of the health of cameras: noted with the event, so that nobody tells it twice."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple, cast

import sqlalchemy as sa

from sightline.wire.events import Event
from storage.database.engine import Database
from storage.items.changes import NewEvent
from storage.sinks.outbox import tell
from storage.tables import Sources

CameraHealth = Literal["ok", "offline", "frozen", "dark", "covered", "moved", "sub_only"]


class Told(NamedTuple):
    """A camera, and what was told of it last; None: nothing, as of one that is paused or just new."""

    camera_id: str
    enabled: bool
    health: CameraHealth | None


def load_told(database: Database) -> list[Told]:
    """Of all cameras. Raises `StoreUnavailableError`."""
    rows = sa.select(Sources.source_id, Sources.enabled, Sources.health).where(Sources.url.is_not(None))
    with database.read() as connection:
        return [
            Told(camera_id, bool(enabled), cast("CameraHealth | None", health))
            for camera_id, enabled, health in connection.execute(rows)
        ]


def note_health(database: Database, was: Told, health: CameraHealth | None, message: str | None, now: datetime) -> bool:
    """Note how a camera does, and tell the sinks: that it is well only if it was not, that nobody knows never.

    Returns whether it was news: False if somebody else noted something meanwhile. Raises `StoreUnavailableError`.
    """
    row = sa.update(Sources).where(
        Sources.source_id == was.camera_id, Sources.url.is_not(None), Sources.health.is_not_distinct_from(was.health)
    )
    with database.write() as connection:
        if not connection.execute(row.values(health=health, health_since=now)).rowcount:
            return False
        if health is not None and (health, was.health) != ("ok", None):
            data = {
                "source_id": was.camera_id,
                "health": health,
                "was": was.health,
                "since": now.isoformat(),
                "message": message,
                "links": {"camera": f"/v1/cameras/{was.camera_id}"},
            }
            tell(connection, NewEvent(Event.CAMERA_HEALTH, was.camera_id, (was.camera_id, now.isoformat()), data), now)
    return True

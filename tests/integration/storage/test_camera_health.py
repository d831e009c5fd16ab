"""Sinks hear of a camera that is away or sees nothing: once, and not of what passes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from sightline.camera_status import CameraStatus, forget_statuses, write_statuses
from sightline.errors import BrokerUnavailableError
from sightline.redis.connection import connect
from storage.camera_health import load_told
from storage.cameras import Camera, add_camera, remove_camera, update_camera
from storage.database.engine import Database
from tests.conftest import free_port
from tests.integration.storage.test_outbox import outbox, sink
from workers.housekeeping.camera_health import CameraHealthWatch


class Clock:
    """Two watchers, as of two writers, that look every two seconds."""

    def __init__(self, database: Database, redis: Any) -> None:
        self._watchers = [CameraHealthWatch(database, redis) for _ in range(2)]
        self._redis = redis
        self._now_s = 0.0

    def passes(self, seconds: float, **status: Any) -> None:
        if status:
            write_statuses(self._redis, {"gate": CameraStatus.model_validate(status)})
        else:
            forget_statuses(self._redis, ["gate"])
        until_s = self._now_s + seconds
        while self._now_s < until_s:
            self._now_s += 2
            for watcher in self._watchers:
                watcher.run_once(self._now_s)


@pytest.fixture
def clock(database: Database, redis_url: str) -> Any:
    add_camera(database, Camera(camera_id="gate", url=SecretStr("rtsp://me:secret@10.0.0.5/s")))
    sink(database, events=("camera.health",))
    sink(database, "passages")
    with connect(redis_url) as redis:
        yield Clock(database, redis)


def told(database: Database) -> list[tuple[str, str | None, str | None]]:
    assert outbox(database, "passages") == []
    data = [row["payload"]["data"] for row in outbox(database)]
    return [(each["health"], each["was"], each["message"]) for each in data]


def test_offline_and_back_are_told_once(database: Database, clock: Clock) -> None:
    clock.passes(30, state="running")
    assert told(database) == []
    clock.passes(14, state="reconnecting", last_error="silent for 10 s")
    assert told(database) == []
    clock.passes(30, state="reconnecting", last_error="silent for 10 s")
    clock.passes(8, state="running")
    assert told(database) == [("offline", "ok", "silent for 10 s")]
    clock.passes(60, state="running")
    assert told(database)[1:] == [("ok", "offline", None)]
    (row, _) = outbox(database)
    assert row["topic"] == "camera.health"
    assert row["payload"]["data"]["links"] == {"camera": "/v1/cameras/gate"}


def test_a_camera_that_comes_and_goes_is_told_as_neither(database: Database, clock: Clock) -> None:
    clock.passes(30, state="running")
    for _ in range(10):
        clock.passes(12, state="reconnecting")
        clock.passes(6, state="running")
    assert told(database) == []


@pytest.mark.parametrize("condition", ["frozen", "dark", "covered", "moved"])
def test_what_is_wrong_with_its_pictures_is_told(database: Database, clock: Clock, condition: str) -> None:
    clock.passes(30, state="running")
    clock.passes(10, state="running", condition=condition)
    clock.passes(30, state="running")
    assert told(database) == [(condition, "ok", None), ("ok", condition, None)]


def test_a_camera_process_that_died_is_told_and_a_paused_camera_is_not(database: Database, clock: Clock) -> None:
    clock.passes(30)
    assert told(database) == [("offline", None, None)]
    update_camera(database, "gate", enabled=False)
    clock.passes(30, state="paused")
    update_camera(database, "gate", enabled=True)
    clock.passes(30, state="running")
    clock.passes(30, state="ended")
    assert len(told(database)) == 1
    remove_camera(database, "gate")
    add_camera(database, Camera(camera_id="gate", url=SecretStr("rtsp://10.0.0.6/s")))
    assert [each.health for each in load_told(database)] == [None]


def test_without_redis_nothing_is_known_and_nothing_told(database: Database, clock: Clock) -> None:
    clock.passes(30, state="running")
    watch = CameraHealthWatch(database, connect(f"redis://127.0.0.1:{free_port()}/0"))
    for now_s in range(0, 60, 20):
        with pytest.raises(BrokerUnavailableError):
            watch.run_once(now_s)
    assert told(database) == []

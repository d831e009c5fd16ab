"""The camera process in this interpreter, with a real Redis, ledger and SQLite."""

import contextlib
import functools
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from producers.camera import process as process_module
from producers.camera.process import CameraProcess
from sightline.camera_status import CameraStatus, read_statuses, write_statuses
from sightline.delivery.publisher import Publisher
from sightline.errors import BrokerUnavailableError, StoreUnavailableError
from sightline.redis.connection import connect
from sightline.settings import Settings
from storage.cameras import add_camera, list_cameras, remove_camera, update_camera
from storage.database.engine import Database
from tests.cameras import FakePublisher, camera, wait_until, write_clip
from tests.conftest import free_port
from tests.exif import photo


@pytest.fixture(autouse=True)
def _fast_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "POLL_S", 0.1)


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    return Settings(redis_url=redis_url, data_dir=tmp_path, live_max_open_frames=1000)


@contextlib.contextmanager
def running(settings: Settings, publisher: Any, rows: Any) -> Iterator[Any]:
    """The process in a thread; gives a function that reads one camera's status."""
    stop = threading.Event()
    outcome: list[str] = []
    with connect(settings.redis_url) as redis:
        process = CameraProcess(settings, publisher, redis, rows)
        thread = threading.Thread(target=lambda: outcome.append(process.run(stop)))
        thread.start()
        try:
            yield lambda camera_id="gate": read_statuses(redis, [camera_id])[camera_id]
        finally:
            stop.set()
            thread.join(30)
            assert outcome == ["stopped"]


def test_an_archive_file_lands_in_the_ledger_once(settings: Settings, database: Database, tmp_path: Path) -> None:
    add_camera(database, camera(url=write_clip(tmp_path / "clip.mp4", seconds=4), preset="archive"))
    for _restart in range(2):
        publisher = Publisher.from_settings(settings)
        with running(settings, publisher, functools.partial(list_cameras, database)) as status:
            wait_until(lambda status=status: status().state == "ended")
        assert publisher.ledger.counts() == {"gate": {"published": 40}}
        assert publisher.queue_depths()["gpu.detect"] == 3
        jobs = publisher.ledger.open_jobs()
        assert all(publisher.frames.get_many([frame.frame_id for job in jobs for frame in job.frames]))
        publisher.close()


def test_a_restart_in_the_middle_of_a_file_repeats_no_accepted_frame(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    add_camera(database, camera(url=write_clip(tmp_path / "clip.mp4", seconds=8), preset="archive"))
    few = settings.model_copy(update={"max_open_frames_per_source": 40})
    publisher = Publisher.from_settings(few)
    with running(few, publisher, functools.partial(list_cameras, database)) as status:
        wait_until(lambda: "backlog full" in (status().last_error or ""))
    assert publisher.ledger.counts() == {"gate": {"published": 32}}
    publisher.close()
    publisher = Publisher.from_settings(settings)
    with running(settings, publisher, functools.partial(list_cameras, database)) as status:
        wait_until(lambda: status().state == "ended")
    assert publisher.ledger.counts() == {"gate": {"published": 80}}
    publisher.close()


def test_a_folder_of_photos_lands_in_the_ledger_once(settings: Settings, database: Database, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    for shade in range(3):
        (drop / f"{shade}.jpg").write_bytes(photo(shade=60 * shade))
    add_camera(database, camera("yard", f"{drop}/"))
    for found in (3, 0):
        publisher = Publisher.from_settings(settings)
        with running(settings, publisher, functools.partial(list_cameras, database)) as status:
            wait_until(lambda status=status: status("yard").state == "running")
            wait_until(lambda status=status, found=found: status("yard").published == found, 10)
            time.sleep(0 if found else 2.5)  # two looks
            assert status("yard").frames_read == found
        assert publisher.ledger.counts() == {"yard": {"published": 3}}
        publisher.close()


def test_rows_are_followed(settings: Settings, database: Database, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    publisher = Publisher.from_settings(settings)
    with running(settings, publisher, functools.partial(list_cameras, database)) as status:
        assert status().state == "offline"
        add_camera(database, camera(url=clip, loop=True))
        wait_until(lambda: status().published > 0, 3)
        assert status().last_frame_at is not None
        update_camera(database, "gate", enabled=False)
        wait_until(lambda: status().state == "paused", 2)
        update_camera(database, "gate", enabled=True)
        wait_until(lambda: status().state == "running", 2)
        remove_camera(database, "gate")
        wait_until(lambda: status().state == "offline", 2)
        published = publisher.ledger.counts()
        time.sleep(0.3)
        assert publisher.ledger.counts() == published
    publisher.close()


def test_rates_fall_while_nobody_works(settings: Settings, database: Database, tmp_path: Path) -> None:
    add_camera(database, camera(url=write_clip(tmp_path / "clip.mp4"), loop=True, min_fps=1.0))
    publisher = Publisher.from_settings(settings)
    with running(settings, publisher, functools.partial(list_cameras, database)) as status:
        wait_until(lambda: status().published > 3, 3)
        assert status().budget_fps == 10
        wait_until(lambda: status().budget_fps == 5, 4)  # the oldest has waited for a third of the deadline
        wait_until(lambda: status().thinned > 3, 3)
        assert status().saved_percent > 0
    publisher.close()


def test_cameras_go_on_while_the_database_is_down(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = camera(url=write_clip(tmp_path / "clip.mp4"), loop=True)
    down = threading.Event()
    caplog.set_level("INFO")

    def rows() -> Any:
        if down.is_set():
            raise StoreUnavailableError("no route to the database")
        return [row]

    publisher = FakePublisher()
    with running(settings, publisher, rows) as status:
        wait_until(lambda: publisher.frames)
        down.set()
        before = len(publisher.frames)
        time.sleep(0.5)
        assert len(publisher.frames) > before
        assert status().state == "running"
        down.clear()
        wait_until(lambda: "answers again" in caplog.text, 3)
    assert caplog.text.count("no route to the database") == 1


def test_cameras_are_read_while_redis_is_down(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    nowhere = settings.model_copy(update={"redis_url": f"redis://:hunter2@127.0.0.1:{free_port()}/0"})
    row = camera(url=write_clip(tmp_path / "clip.mp4"), loop=True, min_fps=1.0)
    publisher = Publisher.from_settings(nowhere)
    stop = threading.Event()
    process = CameraProcess(nowhere, publisher, connect(nowhere.redis_url), lambda: [row])
    thread = threading.Thread(target=process.run, args=(stop,))
    thread.start()
    wait_until(
        lambda: process.fleet.statuses() and process.fleet.statuses()["gate"].dropped.get("broker_unavailable", 0) >= 3
    )
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert caplog.text.count("cameras keep their rates") == 1
    assert process.fleet.statuses()["gate"].published == 0
    assert "hunter2" not in caplog.text


def test_a_bug_in_a_loop_ends_the_process(settings: Settings) -> None:
    def rows() -> Any:
        raise ZeroDivisionError

    with connect(settings.redis_url) as redis:
        assert CameraProcess(settings, FakePublisher(), redis, rows).run(threading.Event()) == "crashed"


def test_statuses_round_trip_and_expire(redis_url: str) -> None:
    with connect(redis_url) as redis:
        status = CameraStatus(state="running", frames_read=3, dropped={"overwritten": 1}, fps=24.9)
        write_statuses(redis, {"gate": status})
        assert read_statuses(redis, ["gate", "yard"]) == {"gate": status, "yard": CameraStatus(state="offline")}
        assert 10 <= redis.ttl("sightline:camera:gate") <= 15  # pyright: ignore[reportOperatorIssue]
        assert read_statuses(redis, []) == {}
    with connect(f"redis://127.0.0.1:{free_port()}/0") as redis, pytest.raises(BrokerUnavailableError):
        read_statuses(redis, ["gate"])

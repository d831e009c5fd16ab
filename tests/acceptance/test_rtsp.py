"""The camera process against real RTSP servers: a camera that dies and returns, cameras added and removed meanwhile."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from producers.camera.probe import probe_camera
from producers.camera.sources.opening import open_source
from producers.camera.sources.source import SourceOptions
from sightline.camera_status import CameraStatus, read_statuses
from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.delivery.publisher import Publisher
from sightline.errors import SourceError
from sightline.redis.connection import connect
from sightline.settings import Settings
from storage.cameras import add_camera, remove_camera
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import upgrade
from tests.acceptance.parts.rtsp import PASSWORD, ServeRtsp, rtsp_url
from tests.cameras import camera, wait_until, write_clip
from tests.conftest import free_port

ROOT = Path(__file__).parents[2]

Serve = Callable[[int], "subprocess.Popen[str]"]
StatusOf = Callable[[str], CameraStatus]


@pytest.fixture
def serve(tmp_path: Path, serve_rtsp: ServeRtsp) -> Serve:
    """Starts a camera on a port; all are killed at the end."""
    clip = write_clip(tmp_path / "clip.mp4", seconds=60)
    return lambda port: serve_rtsp(clip, port)


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    return Settings(redis_url=redis_url, data_dir=tmp_path / "data", live_max_open_frames=2000)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    upgrade(settings.sqlalchemy_url)
    database = open_database(settings.sqlalchemy_url)
    yield database
    database.close()


@contextlib.contextmanager
def camera_process(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m producers.camera`, stopped by SIGTERM."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("SIGHTLINE_")},
        "SIGHTLINE_REDIS_URL": settings.redis_url,
        "SIGHTLINE_DATA_DIR": str(settings.data_dir),
        "SIGHTLINE_LIVE_MAX_OPEN_FRAMES": "2000",
        "SIGHTLINE_CAMERA_OPEN_TIMEOUT_S": "5",
        "SIGHTLINE_CAMERA_READ_TIMEOUT_S": "4",
    }
    with log.open("wb") as file:
        command = [sys.executable, "-m", "producers.camera"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=file, stdout=file)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(5)


@pytest.fixture
def status_of(settings: Settings) -> Iterator[StatusOf]:
    with connect(settings.redis_url) as redis:
        yield lambda camera_id: read_statuses(redis, [camera_id])[camera_id]


def test_a_camera_that_dies_returns_and_cameras_come_and_go(
    settings: Settings, database: Database, serve: Serve, status_of: StatusOf, tmp_path: Path
) -> None:
    port, other_port = free_port(), free_port()
    server = serve(port)
    add_camera(database, camera("gate", rtsp_url(port), fps=5.0))
    log = tmp_path / "camera.log"
    with camera_process(settings, log):
        wait_until(lambda: status_of("gate").published >= 5, 20)
        assert 5 <= status_of("gate").fps <= 15 or status_of("gate").frames_read < 50

        server.kill()
        wait_until(lambda: status_of("gate").state == "reconnecting", 10)
        before = status_of("gate")
        assert before.last_error is not None
        serve(port)
        wait_until(lambda: status_of("gate").state == "running", 20)
        wait_until(lambda: status_of("gate").published > before.published + 5, 20)
        assert status_of("gate").frames_read > before.frames_read

        serve(other_port)
        add_camera(database, camera("yard", rtsp_url(other_port), fps=5.0))
        wait_until(lambda: status_of("yard").published >= 3, 10)

        remove_camera(database, "gate")
        wait_until(lambda: status_of("gate").state == "offline", 3)
        published = _published(settings)
        wait_until(lambda: _published(settings)["yard"] > published["yard"] + 3)
        assert _published(settings)["gate"] == published["gate"]

        final = status_of("yard")
        on_their_way = final.sampled - final.gated - sum(final.dropped.values()) - final.published
        assert 0 <= on_their_way <= 3
    assert PASSWORD not in log.read_text()
    assert "rtsp://***@127.0.0.1" in log.read_text()
    _check_jobs(settings)


def test_a_camera_that_hangs_is_noticed_and_does_not_hold_up_the_stop(
    settings: Settings, database: Database, serve: Serve, status_of: StatusOf, tmp_path: Path
) -> None:
    port = free_port()
    server = serve(port)
    add_camera(database, camera("gate", rtsp_url(port)))
    log = tmp_path / "camera.log"
    with camera_process(settings, log):
        wait_until(lambda: status_of("gate").published >= 3, 20)
        server.send_signal(signal.SIGSTOP)
        wait_until(lambda: "silent for 4 s" in (status_of("gate").last_error or ""), 10)
        assert status_of("gate").state == "reconnecting"
        server.send_signal(signal.SIGCONT)
        wait_until(lambda: status_of("gate").state == "running", 20)
        server.send_signal(signal.SIGSTOP)
        time.sleep(0.3)  # the reader is blocked now, for 4 s
    assert "gate: still blocked in a read" in log.read_text()


@pytest.mark.parametrize("transport", ["", "udp"])
def test_a_camera_plays_by_tcp_and_where_it_cannot_by_udp(
    serve_rtsp: ServeRtsp, tmp_path: Path, transport: str
) -> None:
    """With the password as people write it."""
    port, password = free_port(), "p@ss/w#rd"
    serve_rtsp(write_clip(tmp_path / "clip.mp4", seconds=20), port, password=password, transport=transport)
    url = f"rtsp://viewer:{password}@127.0.0.1:{port}/clip"
    source = open_source(url, SourceOptions(read_timeout_s=4), threading.Event())
    images = [grab.bgr() for grab in itertools.islice(source.grabs(), 3) if not grab.damaged]
    source.close()
    assert [image.shape for image in images] == [(240, 320, 3)] * 3


def test_a_wrong_password_and_a_wrong_path_are_told(serve_rtsp: ServeRtsp, tmp_path: Path) -> None:
    port = free_port()
    serve_rtsp(write_clip(tmp_path / "clip.mp4"), port)
    for url, words in (
        (f"rtsp://viewer:wr0ng@127.0.0.1:{port}/clip", "user name or password is wrong (401)"),
        (f"rtsp://127.0.0.1:{port}/clip", "it wants a user name and a password (401)"),
        (rtsp_url(port).replace("/clip", "/other"), "there is no such stream there (404)"),
    ):
        with pytest.raises(SourceError) as error:
            open_source(url, SourceOptions(), threading.Event())
        assert words in str(error.value)
        assert "wr0ng" not in str(error.value)


def test_how_old_pictures_are_is_told_by_the_clock_of_the_camera(serve_rtsp: ServeRtsp, tmp_path: Path) -> None:
    port = free_port()
    serve_rtsp(write_clip(tmp_path / "clip.mp4", seconds=20), port)
    found = probe_camera(rtsp_url(port), SourceOptions())
    assert (found.error, found.kind, found.codec, found.width, found.stated_fps) == (None, "RTSP", "H.264", 320, 10)
    assert found.measured_fps == pytest.approx(10, abs=0.5)
    assert found.latency_s is not None
    assert 0 <= found.latency_s < 60
    assert found.picture
    assert PASSWORD not in found.model_dump_json()


def _published(settings: Settings) -> dict[str, int]:
    with connect(settings.redis_url) as redis:
        counts = Ledger(redis, LedgerLimits.from_settings(settings)).counts()
    return {source_id: outcomes["published"] for source_id, outcomes in counts.items()}


def _check_jobs(settings: Settings) -> None:
    """Every published frame has a job with a deadline and a picture."""
    publisher = Publisher.from_settings(settings)
    jobs = publisher.ledger.open_jobs(limit=10_000)
    frames = [frame for job in jobs for frame in job.frames]
    assert len(frames) == sum(_published(settings).values())
    assert all(job.deadline_at and job.lane == "live" for job in jobs)
    assert len({frame.frame_id for frame in frames}) == len(frames)
    pictures = publisher.frames.get_many([frame.frame_id for frame in frames])
    assert all(picture and picture.startswith(b"\xff\xd8") for picture in pictures)
    publisher.close()

"""Two real camera processes on the same cameras, one of them killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.redis.connection import connect
from sightline.settings import Settings
from sightline.types import FrameRef
from storage.cameras import add_camera
from storage.database.opening import open_database
from storage.database.revision import upgrade
from tests.cameras import camera, wait_until, write_clip

ROOT = Path(__file__).parents[2]
LIVE = ("gate", "yard", "hall", "roof")
FILES = ("monday", "tuesday")


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Iterator[Settings]:
    settings = Settings(redis_url=redis_url, data_dir=tmp_path / "data", live_max_open_frames=5000)
    upgrade(settings.sqlalchemy_url)
    database = open_database(settings.sqlalchemy_url)
    for name in LIVE:
        clip = write_clip(tmp_path / f"{name}.mp4", seconds=600, fps=5, moving=False)
        add_camera(database, camera(name, clip, fps=5.0))
    for name in FILES:
        add_camera(database, camera(name, write_clip(tmp_path / f"{name}.mp4", seconds=4), preset="archive"))
    database.close()
    return settings


def start(settings: Settings, log: Path) -> subprocess.Popen[bytes]:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("SIGHTLINE_")},
        "SIGHTLINE_REDIS_URL": settings.redis_url,
        "SIGHTLINE_DATA_DIR": str(settings.data_dir),
        "SIGHTLINE_LIVE_MAX_OPEN_FRAMES": "5000",
    }
    with log.open("wb") as file:
        command = [sys.executable, "-m", "producers.camera"]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=file, stdout=file)


def test_one_process_goes_on_with_the_cameras_of_another_that_was_killed(settings: Settings, tmp_path: Path) -> None:
    with connect(settings.redis_url) as redis:
        ledger = Ledger(redis, LedgerLimits.from_settings(settings))

        def owners() -> dict[str, str]:
            """The process that holds each camera."""
            leases = redis.hgetall("sightline:camera_leases")
            return {name: held.split()[0] for name, held in leases.items()}  # pyright: ignore[reportAttributeAccessIssue]

        def frames() -> dict[str, list[FrameRef]]:
            by_camera: dict[str, list[FrameRef]] = defaultdict(list)
            for job in ledger.open_jobs(limit=10_000):
                for frame in job.frames:
                    by_camera[frame.source_id].append(frame)
            return by_camera

        first = start(settings, tmp_path / "first.log")
        second: subprocess.Popen[bytes] | None = None
        try:
            wait_until(lambda: len(owners()) == 6, 30)
            (victim,) = set(owners().values())
            second = start(settings, tmp_path / "second.log")
            wait_until(lambda: sorted(map(list(owners().values()).count, {*owners().values()})) == [3, 3], 30)
            wait_until(lambda: all(len(frames()[name]) > 10 for name in LIVE), 30)
            orphans = [name for name, owner in owners().items() if owner == victim]

            first.send_signal(signal.SIGKILL)
            first.wait(10)
            before = {name: len(frames()[name]) for name in LIVE}
            wait_until(lambda: victim not in owners().values(), 30)
            wait_until(lambda: all(len(frames()[name]) > before[name] + 5 for name in LIVE), 30)
            assert {*orphans} & {*LIVE}
        finally:
            first.kill()
            first.wait(10)
            if second is not None:
                second.send_signal(signal.SIGTERM)
                assert second.wait(30) == 0, (tmp_path / "second.log").read_text()
        for name, given in frames().items():
            assert len({frame.frame_id for frame in given}) == len(given), name
        for name in FILES:
            assert len(frames()[name]) == 40
        for name in LIVE:
            # Were a camera read by two at a time, their counts of frames would alternate.
            in_time = sorted(frames()[name], key=lambda frame: frame.captured_at)
            starts_over = sum(later.seq < earlier.seq for earlier, later in pairwise(in_time))
            assert starts_over <= 2, [frame.seq for frame in in_time]
        assert owners() == {}

"""Two stores that can be brought back as they were: a Redis with its own folder, and databases that are copied."""

from __future__ import annotations

import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import redis

from sightline.delivery.publisher import Publisher
from sightline.settings import Settings, load_settings
from sightline.submission.jobs import NewFrame, make_job
from sightline.testing import make_picture
from sightline.types import FrameResult
from sightline.wire.messages import Job, Message
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import upgrade
from storage.jobs.accepted import Accepted
from tests.conftest import free_port, redis_program
from tests.stores import open_store
from workers.housekeeping.rebuild import Rebuild


class OwnRedis:
    """A real server, whose memory can be saved, and brought back."""

    def __init__(self, folder: Path, *lines: str) -> None:
        folder.mkdir()
        self.folder, self.port = folder, free_port()
        (folder / "redis.conf").write_text("\n".join([f"port {self.port}", "bind 127.0.0.1", f"dir {folder}", *lines]))
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, decode_responses=True)

    def start(self) -> None:
        command = [redis_program(), str(self.folder / "redis.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while True:
            try:
                self.client().ping()
                return
            except redis.RedisError:
                assert time.monotonic() < until
                time.sleep(0.05)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def save(self) -> None:
        self.client().save()
        shutil.copy(self.folder / "dump.rdb", self.folder / "saved.rdb")

    def bring_back(self) -> None:
        """As it was when it was saved."""
        self.kill()
        shutil.copy(self.folder / "saved.rdb", self.folder / "dump.rdb")
        self.start()


class Installation:
    """What a writer, the API and a camera of one installation do, without their processes."""

    def __init__(self, folder: Path, redis_url: str, database_url: str = "") -> None:
        self.settings: Settings = load_settings(
            data_dir=folder, redis_url=redis_url, database_url=database_url, frames_url=(folder / "frames").as_uri()
        )
        folder.mkdir(exist_ok=True)
        upgrade(self.settings.sqlalchemy_url)
        self.open()

    def open(self) -> None:
        """Its processes start."""
        self.database: Database = open_database(self.settings.sqlalchemy_url)
        self.accepted = Accepted.from_settings(self.database, self.settings)
        self.publisher = Publisher.from_settings(self.settings)
        self.rebuild = Rebuild(self.database, self.accepted, self.publisher)

    def close(self) -> None:
        self.database.close()
        self.publisher.close()

    def moved_to(self, **places: str | Path) -> None:
        """All its processes start again, with other stores."""
        self.close()
        self.settings = self.settings.model_copy(update=places)
        self.open()

    def submit(self, text: str, source_id: str = "gate", *, is_noted: bool = True) -> Job:
        """As the API does, which notes its jobs, or as a camera."""
        frame = NewFrame(make_picture(text), datetime(2026, 1, 2, tzinfo=UTC))
        job, pixels = make_job([frame], self.settings, pipeline="plates", lane="bulk", source_id=source_id)
        keep = self.accepted.keep if is_noted else None
        publisher = Publisher.from_settings(self.settings, keep)
        publisher.publish(job, pixels)
        publisher.close()
        return job

    def finish(self, job: Job) -> None:
        """As workers do."""
        results = tuple(FrameResult(frame=frame) for frame in job.frames)
        (stored,) = open_store(self.database).store([Message(job=job, results=results)], set())
        self.publisher.ledger.settle(job.job_id, stored.counts)

    @property
    def is_open(self) -> dict[str, int]:
        return self.publisher.ledger.open_frames()

"""An hour in which Redis or the database is away: each role says it, and says it in few lines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import redis

from benchmarks.chaos.machine.postgres import find_binaries
from sightline.delivery.publisher import Publisher
from sightline.ids import new_id
from sightline.local.embedded_redis import prepare_redis
from sightline.pipelines import registry
from sightline.settings import Settings, load_settings
from sightline.testing import make_picture
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job
from storage.cameras import Camera, add_camera
from storage.database.opening import open_database
from storage.sinks.sinks import add_sink, new_sink
from tests.acceptance.parts.machine import ROOT
from tests.conftest import free_port
from tests.integration.storage.refusals.servers import Server, primary
from tests.web_camera import web_camera

TIMES = 120
HOUR_S = 3600
MOST_LINES = 200
JOBS = 24
#: Its last line before it has begun.
BEGUN = {"worker": "ready.", "deliver": "delivering", "camera": "camera gate", "api": "startup complete"}


@dataclass
class Roles:
    """All roles of one installation, and the stores that they need."""

    folder: Path
    settings: Settings
    server: Server
    redis_command: tuple[str, ...]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, "subprocess.Popen[bytes]"])

    @property
    def hurried(self) -> Path:
        return self.folder / "hurried"

    def start_redis(self) -> None:
        self._run("redis", self.redis_command)
        with redis.Redis.from_url(self.settings.redis_url) as client:
            self.wait_until(lambda: _answers(client), "redis")

    def start(self) -> None:
        queues = ",".join(registry().usual_queues)
        celery = ("-m", "celery", "-A", "workers.app", "worker", "-P", "threads", "-c", "4", "-Q", queues)
        commands = {
            "worker": (*celery, "--without-gossip", "--without-mingle"),
            "deliver": ("-m", "workers.deliver"),
            "camera": ("-m", "producers.camera"),
            "api": ("-m", "producers.api"),
        }
        for name, command in commands.items():
            self._run(name, (sys.executable, *command))
        for name, word in BEGUN.items():
            self.wait_until(lambda name=name, word=word: word in self.log(name), name)

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait(10)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def wait_until(self, holds: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
        until = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < until, (what, {name: self.log(name)[-2000:] for name in self.processes})
            time.sleep(0.2)

    def publish_jobs(self) -> None:
        publisher = Publisher.from_settings(self.settings)
        for number in range(JOBS):
            frame = FrameRef(frame_id=new_id(), source_id="yard", captured_at=datetime.now(UTC), seq=number)
            job = Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=(frame,))
            publisher.publish(job, {frame.frame_id: make_picture(f"KAB{number:04}")})
        publisher.close()

    def hour(self) -> dict[str, list[str]]:
        """What each role says in it. Somebody asks the API meanwhile, as a probe and Prometheus do."""
        before = {name: len(self.log(name).splitlines()) for name in BEGUN}
        self.hurried.touch()
        until = time.monotonic() + HOUR_S / TIMES
        while time.monotonic() < until:
            for path in ("/readyz", "/metrics"):
                httpx.get(f"http://127.0.0.1:{self.settings.api_port}{path}", trust_env=False, timeout=30)
            time.sleep(15 / TIMES)
        said = {name: self.log(name).splitlines()[lines:] for name, lines in before.items()}
        self.hurried.unlink()
        return said

    def wait_until_all_is_stored(self) -> None:
        publisher = Publisher.from_settings(self.settings)
        self.wait_until(lambda: publisher.ledger.counts().get("yard", {}).get("stored") == JOBS, "jobs are stored")
        publisher.close()

    def _run(self, name: str, command: tuple[str, ...]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=ROOT, env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )

    def _environment(self) -> Mapping[str, str]:
        given = self.settings.model_dump(mode="json", include=self.settings.model_fields_set)
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SIGHTLINE_")}
        ours = {f"SIGHTLINE_{name.upper()}": str(value) for name, value in given.items()}
        hurry = {"HURRIED_WHILE": str(self.hurried), "HURRIED_TIMES": str(TIMES)}
        return clean | ours | hurry | {"PYTHONPATH": str(Path(__file__).parent / "parts/hurried")}


@pytest.fixture
def roles(tmp_path: Path) -> Iterator[Roles]:
    binaries = find_binaries()
    if binaries is None:
        pytest.fail("no PostgreSQL") if os.environ.get("CI") else pytest.skip("no PostgreSQL")
    with primary(binaries) as server, answering() as url:
        embedded = prepare_redis(tmp_path / "redis")
        stubs = {"plates_model": "stub", "text_model": "stub", "objects_model": "stub", "recognizer": "stub"}
        settings = load_settings(
            data_dir=tmp_path,
            redis_url=embedded.url,
            frames_url=(tmp_path / "frames").as_uri(),
            database_url=server.url(),
            api_port=free_port(),
            **stubs,
        )
        database = open_database(settings.sqlalchemy_url)
        add_sink(database, new_sink(sink_id="gate", url=f"{url}/hook", secret=None))
        camera = {"camera_id": "gate", "url": f"{url}/snapshot.jpg", "fps": 0.2, "motion": False}
        add_camera(database, Camera.model_validate(camera))
        database.close()
        running = Roles(tmp_path, settings, server, embedded.command)
        running.start_redis()
        try:
            running.start()
            yield running
        finally:
            running.stop()


@contextmanager
def answering() -> Iterator[str]:
    """A camera and a receiver of webhooks."""
    picture = make_picture("KAB4721")
    with web_camera(lambda *_: (200, {"Content-Type": "image/jpeg"}, picture)) as camera:
        yield camera.url


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:  # it is not there yet, or reads what it has on its disk
        return False


def require_short(said: dict[str, list[str]]) -> None:
    counts = {name: len(lines) for name, lines in said.items()}
    print(counts)
    assert all(1 <= count <= MOST_LINES for count in counts.values()), (counts, {n: s[:60] for n, s in said.items()})


def test_an_hour_without_the_database(roles: Roles) -> None:
    roles.publish_jobs()
    roles.server.stop(signal.SIGQUIT)
    said = roles.hour()
    roles.server.start()
    roles.wait_until_all_is_stored()
    require_short(said)


def test_an_hour_without_redis(roles: Roles) -> None:
    roles.publish_jobs()
    roles.kill("redis")
    said = roles.hour()
    roles.start_redis()
    roles.wait_until_all_is_stored()
    require_short(said)

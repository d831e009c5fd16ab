"""Roles go from the version before to this one, one by one and in any order, while jobs come, and back."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from sightline.client.client import Sightline
from sightline.delivery.publisher import Publisher
from sightline.errors import SightlineError
from sightline.settings import Settings
from sightline.testing import make_picture
from storage.database.revision import current_revision, downgrade, expected_revision, upgrade
from tests.acceptance.parts.system import ROOT, System
from tests.cameras import wait_until, write_clip
from tests.conftest import free_port

#: The last commit before the database and the ledger knew each other.
BEFORE = "822e063012"
REVISION_BEFORE = "0016"
ROLES = ("detect", "ocr", "write")
MODULES = {"api": "producers.api", "camera": "producers.camera", "deliver": "workers.deliver"}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the version before."""
    folder = tmp_path_factory.mktemp("before")
    archive = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"the history of this checkout does not reach back to {BEFORE}: git fetch --unshallow")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


@pytest.fixture
def system(tmp_path: Path, redis_url: str, before: Path) -> Iterator[System]:
    port = free_port()
    ours = {"plates_model": "stub", "recognizer": "stub", "api_port": port, "api_url": f"http://127.0.0.1:{port}"}
    running = System(tmp_path, redis_url, **ours)
    for file in tmp_path.glob("sightline.sqlite3*"):
        file.unlink()  # made again as that version makes it
    command = [sys.executable, "-m", "storage", "upgrade"]
    subprocess.run(command, cwd=before, env=running.environment, check=True, capture_output=True)
    with running.database() as database:
        assert current_revision(database) != expected_revision()  # it was the code of that version
    yield running
    running.stop()


@pytest.mark.parametrize("order", [("write", "ocr", "detect"), ("detect", "ocr", "write")])
def test_each_role_in_turn_under_load(system: System, before: Path, order: tuple[str, ...]) -> None:
    system.start(*ROLES, root=before)
    stop, jobs = threading.Event(), list[str]()

    def submit() -> None:
        with Sightline(system.settings) as client:
            while not stop.wait(0.1):
                jobs.append(client.submit(make_picture(f"KAB{len(jobs)}")).job_id)

    producer = threading.Thread(target=submit)
    producer.start()
    try:
        upgrade(system.settings.sqlalchemy_url)  # while the old ones go on
        for role in order:
            reached = len(jobs) + 5
            while len(jobs) < reached:
                time.sleep(0.05)
            system.workers[role].terminate()
            system.workers[role].wait(60)
            system.start(role)
    finally:
        stop.set()
        producer.join()
    system.wait_until_quiet()
    with system.database() as database, database.read() as connection:
        stored = set(connection.scalars(sa.text("SELECT job_id FROM jobs WHERE status = 'stored'")))
        letters = connection.scalar(sa.text("SELECT count(*) FROM dead_letters"))
    assert stored == set(jobs)
    assert letters == 0
    assert len(jobs) >= 15


class Around:
    """The processes around the workers: API, cameras, sinks."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, root: Path = ROOT) -> None:
        with (self._system.folder / f"{name}.log").open("ab") as log:
            command = [sys.executable, "-m", MODULES[name]]
            process = subprocess.Popen(command, cwd=root, env=self._system.environment, stdout=log, stderr=log)
        self.running[name] = process

    def stop(self, name: str) -> None:
        process = self.running.pop(name)
        process.terminate()
        process.wait(60)


@pytest.fixture
def around(system: System, before: Path) -> Iterator[Around]:
    """A camera and a sink, as the version before has them, and the processes that serve them."""
    clip, events = write_clip(system.folder / "clip.mp4", seconds=600, fps=2), system.folder / "events"
    made = Around(system)
    add = f"""
from storage.cameras import Camera, add_camera
from storage.database.opening import open_database
from storage.sinks.sinks import add_sink, new_sink
database = open_database({system.settings.sqlalchemy_url!r})
add_camera(database, Camera(camera_id="yard", url={str(clip)!r}, fps=2.0, motion=False))
add_sink(database, new_sink(sink_id="log", url={events.as_uri()!r}, events=("frame.stored",), sources=("test",)))
"""
    subprocess.run([sys.executable, "-c", add], cwd=before, env=system.environment, check=True)
    yield made
    for name in list(made.running):
        made.stop(name)


class Requests(threading.Thread):
    """Jobs by HTTP, one after the other; what was accepted is noted."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.accepted: list[str] = []
        self._settings = settings
        self._stopping = threading.Event()

    def run(self) -> None:
        key = self._settings.api_key.get_secret_value()
        while not self._stopping.wait(0.2):
            try:
                with Sightline(url=self._settings.api_url, api_key=key) as client:
                    picture = make_picture(f"KAB{len(self.accepted)}")
                    self.accepted.append(client.submit(picture, source_id="test").job_id)
            except SightlineError:
                continue  # between the one API and the other

    def more(self) -> None:
        """Returns when some more were accepted."""
        reached = len(self.accepted) + 3
        wait_until(lambda: len(self.accepted) >= reached, 120)

    def stop(self) -> None:
        self._stopping.set()
        self.join()


@pytest.mark.parametrize(
    "order",
    [("api", "camera", "deliver", "worker"), ("worker", "deliver", "camera", "api")],
    ids=lambda order: order[0],
)
def test_producers_and_sinks_too(system: System, around: Around, before: Path, order: tuple[str, ...]) -> None:
    system.start("worker", root=before)
    for name in MODULES:
        around.start(name, before)
    requests = Requests(_with_key(system, before))
    requests.start()
    ledger = Publisher.from_settings(system.settings).ledger

    def published() -> int:
        return ledger.counts().get("yard", {}).get("published", 0)

    try:
        requests.more()
        upgrade(system.settings.sqlalchemy_url)
        for role in order:
            requests.more()
            if role == "worker":
                system.workers["worker"].terminate()
                system.workers["worker"].wait(60)
                system.start("worker")
            else:
                around.stop(role)
                around.start(role)
        requests.more()
        by_the_new_camera = published()
        wait_until(lambda: published() > by_the_new_camera, 60)
    finally:
        requests.stop()
    around.stop("camera")
    system.wait_until_quiet()
    _all_arrived(system, requests)


@pytest.mark.timeout(900)
def test_back_to_the_version_before(system: System, around: Around, before: Path) -> None:
    """All stop for that; what waits in Redis is worked on by the older ones."""
    upgrade(system.settings.sqlalchemy_url)
    system.start("worker")
    for name in MODULES:
        around.start(name)
    requests = Requests(_with_key(system, ROOT))
    requests.start()
    try:
        requests.more()
        system.workers["worker"].kill()
        system.workers["worker"].wait(60)
        requests.more()  # these wait
    finally:
        requests.stop()
    for name in MODULES:
        around.stop(name)
    downgrade(system.settings.sqlalchemy_url, REVISION_BEFORE)
    for name in ("api", "deliver"):
        around.start(name, before)
    system.start("worker", root=before)
    system.wait_until_quiet()
    _all_arrived(system, requests)


def _with_key(system: System, root: Path) -> Settings:
    command = [sys.executable, "-m", "storage", "create-key", "test", "operator"]
    made = subprocess.run(command, cwd=root, env=system.environment, check=True, capture_output=True, text=True)
    return system.settings.model_copy(update={"api_key": SecretStr(made.stdout.strip())})


def _all_arrived(system: System, requests: Requests) -> None:
    """In the database, the books and at the sink, each once."""
    with system.database() as database, database.read() as connection:
        stored = set(connection.scalars(sa.text("SELECT job_id FROM jobs WHERE status = 'stored'")))
        letters = connection.scalar(sa.text("SELECT count(*) FROM dead_letters"))
        rows = connection.scalar(sa.text("SELECT count(*) FROM frames WHERE source_id = 'test'"))
    assert letters == 0
    assert len(set(requests.accepted)) == len(requests.accepted) >= 6
    assert stored >= set(requests.accepted)

    def told() -> list[str]:
        lines = "".join(path.read_text() for path in (system.folder / "events").glob("*.jsonl"))
        return [json.loads(line)["id"] for line in lines.splitlines()]

    wait_until(lambda: len(set(told())) >= (rows or 0), 60)
    assert len(set(told())) == rows
    for source, counted in Publisher.from_settings(system.settings).ledger.counts().items():
        ended = sum(count for outcome, count in counted.items() if outcome != "published")
        assert counted["published"] == ended, source

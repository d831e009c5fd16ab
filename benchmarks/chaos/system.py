"""The system under test: Redis with its append-only file, two workers a stage, one producer. All are real processes.

A supervisor thread starts again what ends, as systemd or Docker would.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis

from benchmarks.chaos.producer import Order
from benchmarks.chaos.switches import FOLDER, WITHOUT
from sightline.embedded_redis import prepare_redis
from sightline.queues import DETECT_QUEUE, OCR_QUEUE, WRITE_QUEUE
from sightline.redis_connection import connect
from sightline.settings import PREFIX, Settings, load_settings
from storage.database import upgrade

ROOT = Path(__file__).parents[2]
ROLES = {"detect": DETECT_QUEUE, "ocr": OCR_QUEUE, "write": WRITE_QUEUE}
_WORKERS_PER_ROLE = 2
_RESTART_PAUSE_S = 0.3
_READY_TIMEOUT_S = 60
#: Short, so that recovery is seen within seconds; the ratios are about those of the defaults.
_FAST = {"visibility_timeout_s": 3, "job_timeout_s": 12, "sweep_interval_s": 1, "max_open_frames_per_source": 400}
_STUBS = {"plates_model": "stub", "text_model": "stub", "objects_model": "stub", "recognizer": "stub"}


@dataclass
class Part:
    """One process that is kept alive."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    held: bool = False  #: not started again for now
    ends: list[int] = field(default_factory=list[int])  #: exit statuses so far


class System:
    def __init__(self, folder: Path, *, seed: int, frames: int, without: Sequence[str] = ()) -> None:
        self.folder = folder
        prepared = prepare_redis(folder / "redis")
        self._frames_there = folder / "frames.there"
        self._frames_there.mkdir()
        (folder / "frames").symlink_to(self._frames_there.name)
        self.settings: Settings = load_settings(
            data_dir=folder,
            redis_url=prepared.url,
            frames_url=(folder / "frames").as_uri(),
            **_FAST,
            **_STUBS,
        )
        self.redis: redis.Redis = connect(prepared.url)
        self.journal_path = folder / "journal.jsonl"
        self._without = without
        self._order: Order | None = None
        self._stopping = threading.Event()
        self._lock = threading.RLock()
        producer = [sys.executable, "-m", "benchmarks.chaos.producer", str(self.journal_path), str(seed), str(frames)]
        self.parts = {
            part.name: part
            for part in (
                Part("redis", prepared.command),
                *(
                    Part(f"{role}{n + 1}", _worker_command(f"{role}{n + 1}", queue))
                    for role, queue in ROLES.items()
                    for n in range(_WORKERS_PER_ROLE)
                ),
                Part("producer", producer),
            )
        }

    def start(self) -> None:
        """Returns when every worker consumes."""
        upgrade(self.settings.sqlalchemy_url)
        self._launch(self.parts["redis"])
        self.wait_for_redis()
        for part in self.parts.values():
            if part.name != "redis":
                self._launch(part)
        for part in self.parts.values():
            if part.name not in ("redis", "producer"):
                self._wait_until_ready(part)
        threading.Thread(target=self._supervise, name="supervisor", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        with self._lock:
            running = [part.process for part in self.parts.values() if part.process and part.process.poll() is None]
            for process in running:
                process.kill()  # nothing is open any more, or it is known to be lost
            for process in running:
                process.wait(10)
            _close_input(self.parts["producer"])
        self.redis.close()

    def pick(self, role: str, rng: random.Random) -> Part:
        """One of the workers of a role."""
        return self.parts[f"{role}{rng.randint(1, _WORKERS_PER_ROLE)}"]

    def signal(self, part: Part, number: signal.Signals) -> None:
        """Send it, if the process is there."""
        with self._lock:
            if part.process is not None and part.process.poll() is None:
                part.process.send_signal(number)

    def send_order(self, order: Order) -> None:
        with self._lock:
            self._order = order
            self._tell_producer(order)

    def kill_redis(self, away_s: float) -> None:
        """kill -9; it comes back from its append-only file."""
        part = self.parts["redis"]
        part.held = True
        self.signal(part, signal.SIGKILL)
        time.sleep(away_s)
        part.held = False
        self.wait_for_redis()

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

    def replace_frame_store(self, *, broken: bool) -> None:
        """Put a plain file where the frame store's folder is, or the folder again; in one step."""
        away = self.folder / "frames.away"
        away.touch()
        fresh = self.folder / "frames.new"
        fresh.symlink_to(away.name if broken else self._frames_there.name)
        fresh.replace(self.folder / "frames")

    def pixels(self) -> list[str]:
        """Names in the frame store. Files of a write that was cut off are left to its pruning."""
        return sorted(path.name for path in self._frames_there.glob("*/*") if not path.name.startswith("."))

    def environment(self) -> Mapping[str, str]:
        given = self.settings.model_dump(mode="json", include=self.settings.model_fields_set)
        clean = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        ours = {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items()}
        return clean | ours | {FOLDER: str(self.folder), WITHOUT: ",".join(self._without), "OMP_NUM_THREADS": "1"}

    def log_of(self, part: Part) -> Path:
        return self.folder / f"{part.name}.log"

    def _launch(self, part: Part) -> None:
        _close_input(part)
        with self.log_of(part).open("ab") as log:
            part.process = subprocess.Popen(
                part.command,
                cwd=ROOT,
                env=self.environment(),
                stdin=subprocess.PIPE if part.name == "producer" else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if part.name == "producer" and self._order is not None:
            self._tell_producer(self._order)

    def _tell_producer(self, order: Order) -> None:
        process = self.parts["producer"].process
        assert process is not None
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it was killed; the next one is told when it starts
            process.stdin.write(order.dump())
            process.stdin.flush()

    def _supervise(self) -> None:
        while not self._stopping.wait(0.05):
            with self._lock:
                ended = [part for part in self.parts.values() if part.process and part.process.poll() is not None]
            for part in ended:
                if part.held:
                    continue
                assert part.process is not None
                part.ends.append(part.process.returncode)
                time.sleep(_RESTART_PAUSE_S)
                with self._lock:
                    if not self._stopping.is_set():
                        self._launch(part)

    def _wait_until_ready(self, part: Part) -> None:
        until = time.monotonic() + _READY_TIMEOUT_S
        while b"ready." not in (log := self.log_of(part).read_bytes()):
            if time.monotonic() > until or (part.process and part.process.poll() is not None):
                raise RuntimeError(f"{part.name} does not start:\n{log.decode()[-4000:]}")
            time.sleep(0.1)


def _close_input(part: Part) -> None:
    if part.process is not None and part.process.stdin is not None:
        with suppress(BrokenPipeError):
            part.process.stdin.close()


def _worker_command(name: str, queue: str) -> list[str]:
    options = ["-P", "threads", "-c", "4", "-Q", queue, "-n", f"{name}@%h", "--without-gossip", "--without-mingle"]
    return [sys.executable, "-m", "celery", "-q", "-A", "benchmarks.chaos.worker", "worker", *options]

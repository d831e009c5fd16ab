"""Real worker processes on a Redis of their own: `celery -A workers.app` as an operator would start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sightline.delivery.publisher import Publisher
from sightline.pipelines import registry
from sightline.settings import Settings, load_settings
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import upgrade

ROOT = Path(__file__).parents[3]
#: Short, so that recovery is seen within a test.
FAST = {"visibility_timeout_s": 4, "job_timeout_s": 8, "sweep_interval_s": 1}


class System:
    """Its workers, by name; its settings as any client would have them."""

    def __init__(self, folder: Path, redis_url: str, **changes: object) -> None:
        ours = {"frames_url": (folder / "frames").as_uri(), "models_dir": folder / "models", "offline": True}
        self.settings: Settings = load_settings(data_dir=folder, redis_url=redis_url, **(ours | FAST | changes))
        self.folder = folder
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        upgrade(self.settings.sqlalchemy_url)

    @property
    def environment(self) -> dict[str, str]:
        given = self.settings.model_dump(mode="json", include=self.settings.model_fields_set)
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SIGHTLINE_")}
        return clean | {f"SIGHTLINE_{name.upper()}": str(value) for name, value in given.items()}

    def start(self, *names: str, root: Path = ROOT) -> None:
        """Start workers named after their role: `detect`, `ocr2`, ..., or `worker`; returns when all consume.

        `root`: the checkout whose code they run.
        """
        for name in names:
            queue = (registry().roles | {"worker": ",".join(registry().usual_queues)})[name.rstrip("0123456789")]
            command = [
                "celery",
                "-A",
                "workers.app",
                "worker",
                "-P",
                "threads",
                "-c",
                "4",
                "-Q",
                queue,
                "-n",
                f"{name}@%h",
            ]
            with (self.folder / f"{name}.log").open("wb") as log:
                self.workers[name] = subprocess.Popen(
                    [sys.executable, "-m", *command, "--without-gossip", "--without-mingle"],
                    cwd=root,
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        for name in names:
            self._wait_until_ready(name)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        self.workers[name].send_signal(number)

    def stop(self) -> None:
        for worker in self.workers.values():
            worker.terminate()
        for worker in self.workers.values():
            try:
                worker.wait(15)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait(5)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    @contextmanager
    def database(self) -> Iterator[Database]:
        database = open_database(self.settings.sqlalchemy_url)
        try:
            yield database
        finally:
            database.close()

    def wait_until_quiet(self, timeout_s: float = 60) -> None:
        """Until no frame is open."""
        ledger = Publisher.from_settings(self.settings).ledger
        until = time.monotonic() + timeout_s
        while ledger.open_frames():
            assert time.monotonic() < until, f"still open after {timeout_s} s: {ledger.open_frames()}"
            time.sleep(0.2)

    def _wait_until_ready(self, name: str) -> None:
        until = time.monotonic() + 60
        while b"ready." not in (self.folder / f"{name}.log").read_bytes():
            assert self.workers[name].poll() is None, self.log(name)
            assert time.monotonic() < until, self.log(name)
            time.sleep(0.1)

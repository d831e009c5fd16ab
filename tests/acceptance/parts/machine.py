"""`sightline up` as a user starts it, and the CLI against it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from sightline.settings import Settings, load_settings
from tests.conftest import free_port

ROOT = Path(__file__).parents[3]


class Machine:
    """One running `sightline up` on free ports with its data in a folder."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.folder = folder
        self.api_url = f"http://127.0.0.1:{(port := free_port())}"
        self.flower_url = f"http://127.0.0.1:{(flower_port := free_port())}"
        self._more = environment
        self.arguments = ["up", "--data", str(folder), "--port", str(port), "--flower-port", str(flower_port)]
        self.arguments += arguments
        self.process = self._start()
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sightline", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=self._environment(), cwd=ROOT, timeout=120)
        assert not check or done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done

    def rows(self, *arguments: str, check: bool = True) -> list[dict[str, Any]]:
        """What a command prints with `--json`."""
        output = self.cli(*arguments, "--json", check=check).stdout
        return [json.loads(line) for line in output.splitlines()]

    def settings(self) -> Settings:
        return load_settings(data_dir=self.folder)

    def children(self) -> dict[str, int]:
        """Process id of each role, by a word of its command."""
        found: dict[str, int] = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == self.process.pid:
                names = (word for word in words if "@%h" in word or word.startswith(("producers.", "workers.deliver")))
                found[next(names, words[0])] = int(entry.name)
        return found

    def log(self) -> str:
        return self.folder.with_suffix(".log").read_text()

    def wait_until_ready(self, timeout_s: float = 60) -> None:
        until = time.monotonic() + timeout_s
        while not ("Sightline is up" in self.log() and "ready." in self.log()):
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.2)

    def stop(self) -> None:
        """Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)

    def start_again(self) -> None:
        self.process = self._start()
        self.wait_until_ready()

    def wait_for(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Poll a listing of the API until it has items."""
        until = time.monotonic() + 60
        while True:
            items = httpx.get(f"{self.api_url}/v1{path}", params=query, trust_env=False).json()["items"]
            if items:
                return items
            assert time.monotonic() < until, self.log()
            time.sleep(0.3)

    def _start(self) -> subprocess.Popen[bytes]:
        with self.folder.with_suffix(".log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "sightline", *self.arguments],
                stdout=log,
                stderr=log,
                env=self._environment(),
                cwd=ROOT,
                start_new_session=True,
            )

    def _environment(self) -> Mapping[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SIGHTLINE_")}
        offline = {"SIGHTLINE_OFFLINE": "true", "SIGHTLINE_MODELS_DIR": str(self.folder / "models")}
        return clean | offline | self._more | {"SIGHTLINE_DATA_DIR": str(self.folder), "COLUMNS": "200"}

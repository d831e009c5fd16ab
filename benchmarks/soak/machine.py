"""The machine under test: `sightline up` as a user starts it, with a camera and a webhook."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil

from sightline.settings import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
_READY_TIMEOUT_S = 180
_STUB_MODELS = {"PLATES_MODEL": "stub", "TEXT_MODEL": "stub", "OBJECTS_MODEL": "stub", "RECOGNIZER": "stub"}
_STUB_ENGINES = {"CHAT_ENGINE": "stub", "SPEECH_ENGINE": "stub"}
_ENVIRONMENT = {
    "KEEP_PICTURES": "none",
    # What is kept for a while must have been kept for long before the first look counts.
    "RESULT_TTL_S": "30",
    "PASSAGE_GAP_S": "3",
}
#: What the processes of each role have on their command line.
_ROLES = {
    r"redis-server": "redis",
    r"-n worker": "worker",
    r"-n chat": "chat",
    r"workers\.chat\.openvino\.process": "chat model",
    r"-n transcribe": "transcribe",
    r"producers\.api": "api",
    r"producers\.camera": "camera",
    r"workers\.deliver": "deliver",
    r" flower ": "flower",
}


class Machine:
    """Runs while the `with` block does. Without `is_real` the models are stubs; with `pipelines` beside the usual ones
    those of pictures are in any case.
    """

    def __init__(self, folder: Path, *, is_real: bool, pipelines: Sequence[str] = ()) -> None:
        self.folder = folder
        self._models = _STUB_MODELS if pipelines or not is_real else {}
        self._models = self._models | ({} if is_real else _STUB_ENGINES)
        self._extra = [word for name in pipelines for word in ("--with", name)]
        self._ports = _free_ports(4)
        self.received = 0  #: events at the webhook

    def __enter__(self) -> Self:
        api, flower, hook, stream = self._ports
        self._server = _receiver(self, hook)
        self._stream = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.chaos.roles.stream", str(stream), "1"], cwd=ROOT
        )
        with (self.folder / "log").open("wb") as log:
            self._up = subprocess.Popen(
                [
                    *(sys.executable, "-m", "sightline", "up", "--data", str(self.folder / "data")),
                    *("--port", str(api), "--flower-port", str(flower), *self._extra),
                ],
                cwd=ROOT,
                env=_environment(self._models),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait_until_up()
            self._add(f"http://127.0.0.1:{hook}/hook", f"http://127.0.0.1:{stream}/gate")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def settings(self) -> Settings:
        """As a client on this machine reads them."""
        return load_settings(data_dir=self.folder / "data", passage_gap_s=3)

    def api(self) -> httpx.Client:
        key = self.settings.api_key.get_secret_value()
        return httpx.Client(base_url=self.settings.api_url, headers={"X-API-Key": key}, timeout=30, trust_env=False)

    def processes(self) -> dict[str, psutil.Process]:
        """By role; the supervisor too."""
        up = psutil.Process(self._up.pid)
        found = {"supervisor": up}
        for child in up.children(recursive=True):
            command = " ".join(child.cmdline())
            role = next((role for pattern, role in _ROLES.items() if re.search(pattern, command)), None)
            if role is not None:
                found.setdefault(role, child)
        return found

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _wait_until_up(self) -> None:
        until = time.monotonic() + _READY_TIMEOUT_S
        while "Sightline is up" not in self.log():
            if time.monotonic() > until or self._up.poll() is not None:
                raise RuntimeError(f"`sightline up` does not start:\n{self.log()[-4000:]}")
            time.sleep(0.5)

    def _add(self, hook: str, stream: str) -> None:
        with self.api() as api:
            sink = {"sink_id": "receiver", "url": hook}
            api.post("/v1/sinks", json=sink).raise_for_status()
            camera = {"camera_id": "gate", "url": stream, "fps": 5, "motion": False}
            api.post("/v1/cameras", json=camera).raise_for_status()

    def _stop(self) -> None:
        self._up.send_signal(signal.SIGINT)
        try:
            self._up.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self._up.pid, signal.SIGKILL)
            self._up.wait(10)
        self._stream.kill()
        self._stream.wait(10)
        self._server.shutdown()


def _receiver(machine: Machine, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            machine.received += 1
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Not a line for each."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _environment(models: dict[str, str]) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    ours = {PREFIX + name: value for name, value in (_ENVIRONMENT | models).items()}
    return clean | ours | {"OMP_NUM_THREADS": "1", "NO_PROXY": "127.0.0.1"}


def _free_ports(count: int) -> list[int]:
    """All held until all are known, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports

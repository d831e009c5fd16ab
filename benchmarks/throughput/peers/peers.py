"""The same pipeline in servers that others made, each with its own batching: Ray Serve and LitServe, over HTTP."""

from __future__ import annotations

import os
import site
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import psutil

from benchmarks.throughput import limit
from benchmarks.throughput.pace import Pace
from benchmarks.throughput.peers.peer_model import BATCH, PACKAGES, REPLICAS
from benchmarks.throughput.samples import Sample
from benchmarks.throughput.system import ROOT
from benchmarks.throughput.work import Work
from sightline.capacity.meter import Meter
from sightline.local.embedded_redis import free_port

_TIMEOUT_S, _GRACE_S = 300, 15
_CLIENTS = 2 * BATCH * REPLICAS  #: requests in flight: for each replica a batch that runs and one that forms
#: The packages each needs, and its module here.
PEERS = {"ray": (("ray", "multipart"), "peer_ray"), "litserve": (("litserve", "multipart"), "peer_litserve")}


def why_not(name: str, python: Path | None) -> str:
    """Why a peer is left out, or ""."""
    packages = PEERS[name][0]
    if python is not None:
        code = f"import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, {packages!r})))"
        if subprocess.run([python, "-c", code], check=False).returncode == 0:
            return ""
    return f"{name}: left out: not installed (--peers-python names an interpreter that has it, and python-multipart)"


def measure_peer(work: Work, name: str) -> list[Sample]:
    """Frames a second from file to row."""
    port = free_port()
    # No connection outlives the limit's turn: the server, woken again, would end it.
    limits = httpx.Limits(max_connections=_CLIENTS, keepalive_expiry=1.0)
    with (
        _serving(work, name, port) as (server, log),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=_TIMEOUT_S, limits=limits, trust_env=False) as client,
        ThreadPoolExecutor(_CLIENTS) as pool,
    ):

        def post(number: int) -> int:
            reply = client.post("/predict", files={"picture": ("car.jpg", work.picture(number), "image/jpeg")})
            return int(reply.raise_for_status().json()["plates"])

        _wait_for(server, post, log)
        list(pool.map(post, range(_CLIENTS)))
        pace = Pace(work.limit_now and partial(_alone, work.limit_now, server))
        meter = Meter({"publish": os.getpid(), "server": server.pid})
        read = sum(pool.map(post, range(work.frames)))
        speed, cpu_ms, base = work.frames / meter.wall_s(), meter.cpu_ms(work.frames), pace.base()
    return [Sample(name, speed, "frames/s", limit.NAME, cpu_ms, read / work.frames, base)]


def _alone(measure: Callable[[], float], server: subprocess.Popen[bytes]) -> float:
    """Measure while the server's processes stand still: they poll when there is nothing to do, and take a core."""
    family = _family(server)
    for process in family:
        process.suspend()
    try:
        return measure()
    finally:
        for process in family:
            process.resume()


def _family(server: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The server and all that it started."""
    parent = psutil.Process(server.pid)
    return [parent, *parent.children(recursive=True)]


@contextmanager
def _serving(work: Work, name: str, port: int) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    folder = Path(tempfile.mkdtemp(dir=work.folder))
    log = folder / "log"
    given = {PACKAGES: os.pathsep.join(site.getsitepackages()), "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    with log.open("wb") as file:
        command = [
            str(work.peers_python),
            "-m",
            f"benchmarks.throughput.peers.{PEERS[name][1]}",
            str(port),
            str(folder),
        ]
        server = subprocess.Popen(command, cwd=folder, env=os.environ | given, stdout=file, stderr=file)
    try:
        yield server, log
    finally:
        _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    """With all that it started: neither peer is sure to end its own children."""
    children = _family(server)[1:] if server.poll() is None else []
    server.terminate()
    with suppress(subprocess.TimeoutExpired):
        server.wait(_GRACE_S)
    for process in psutil.wait_procs(children, timeout=_GRACE_S)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    server.kill()
    server.wait(10)


def _wait_for(server: subprocess.Popen[bytes], post: Callable[[int], int], log: Path) -> None:
    until = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < until and server.poll() is None:
        with suppress(httpx.HTTPError):
            post(0)
            return
        time.sleep(0.2)
    raise RuntimeError(f"the peer does not answer\n{log.read_text(errors='replace')[-3000:]}")

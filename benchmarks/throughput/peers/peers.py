"""The same pipeline in servers that others made, each with its own batching: Ray Serve and LitServe, over HTTP."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx

from benchmarks.throughput import limit
from benchmarks.throughput.pace import Pace
from benchmarks.throughput.peers.peer_model import BATCH, REPLICAS
from benchmarks.throughput.peers.serving import TIMEOUT_S, family, serving, wait_for
from benchmarks.throughput.samples import Sample
from benchmarks.throughput.work import Work
from sightline.capacity.meter import Meter
from sightline.local.embedded_redis import free_port

_CLIENTS = 2 * BATCH * REPLICAS  #: requests in flight: for each replica a batch that runs and one that forms
#: The packages each needs, and its module here.
PEERS = {"ray": (("ray", "multipart"), "peer_ray"), "litserve": (("litserve", "multipart"), "peer_litserve")}


def measure_peer(work: Work, name: str) -> list[Sample]:
    """Frames a second from file to row."""
    assert work.peers_python is not None
    port, module = free_port(), f"benchmarks.throughput.peers.{PEERS[name][1]}"
    # No connection outlives the limit's turn: the server, woken again, would end it.
    limits = httpx.Limits(max_connections=_CLIENTS, keepalive_expiry=1.0)
    with (
        serving(work.peers_python, module, work.folder, port) as (server, log),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT_S, limits=limits, trust_env=False) as client,
        ThreadPoolExecutor(_CLIENTS) as pool,
    ):

        def post(number: int) -> int:
            reply = client.post("/predict", files={"picture": ("car.jpg", work.picture(number), "image/jpeg")})
            return int(reply.raise_for_status().json()["plates"])

        wait_for(server, post, log)
        list(pool.map(post, range(_CLIENTS)))
        pace = Pace(work.limit_now and partial(_alone, work.limit_now, server))
        meter = Meter({"publish": os.getpid(), "server": server.pid})
        read = sum(pool.map(post, range(work.frames)))
        speed, cpu_ms, base = work.frames / meter.wall_s(), meter.cpu_ms(work.frames), pace.base()
    return [Sample(name, speed, "frames/s", limit.NAME, cpu_ms, read / work.frames, base)]


def _alone(measure: Callable[[], float], server: subprocess.Popen[bytes]) -> float:
    """Measure while the server's processes stand still: they poll when there is nothing to do, and take a core."""
    processes = family(server)
    for process in processes:
        process.suspend()
    try:
        return measure()
    finally:
        for process in processes:
            process.resume()

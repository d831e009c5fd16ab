"""One picture at a time through the API of an idle system: what its way to the stored row adds to bare inference."""

from __future__ import annotations

import socket
import time
from contextlib import closing, suppress
from statistics import median

import httpx

from benchmarks.throughput.pictures import numbered
from benchmarks.throughput.reader import Reader
from benchmarks.throughput.samples import Sample, quantile
from benchmarks.throughput.system import MODELS, System, running
from benchmarks.throughput.work import Work
from sightline.checkout import run_once
from sightline.settings import load_settings

_BARE = "bare inference, one picture"
_WARM_UP = 8
_TIMEOUT_S = 300


class Latency:
    """Keeps its models from round to round."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._reader = Reader(load_settings(data_dir=work.folder))
        self._sent = 0

    def measure(self) -> list[Sample]:
        """The median of bare inference, then median and 99th percentile of what is added to it."""
        port = free_port()
        given = MODELS | {"api_port": port, "rate_limit_per_s": 0}
        with running(self._work, given=given, api=True, fused=True) as system, closing(_client(system, port)) as api:
            for number in range(_WARM_UP):
                self._submit(api, self._work.picture(number))
            pairs = [self._pair(api, self._work.picture(number)) for number in range(self._work.frames)]
        bare = median(bare for bare, _ in pairs)
        added = [stored - bare for bare, stored in pairs]
        return [
            Sample(_BARE, bare, "ms", _BARE),
            Sample("latency added, p50", median(added), "ms", _BARE),
            Sample("latency added, p99", quantile(added, 0.99), "ms", _BARE),
        ]

    def _pair(self, api: httpx.Client, picture: bytes) -> tuple[float, float]:
        """Milliseconds of bare inference, and to the stored row, of the same picture one after the other."""
        began_at = time.perf_counter()
        self._reader.read([picture])
        bare_ms = (time.perf_counter() - began_at) * 1000
        began_at = time.perf_counter()
        self._submit(api, picture)
        return bare_ms, (time.perf_counter() - began_at) * 1000

    def _submit(self, api: httpx.Client, picture: bytes) -> None:
        """Upload and wait. A result is posted after the commit of its rows.

        Each is of a source of its own: on an idle system nothing else was seen there a moment ago.
        """
        self._sent += 1
        files = {"files": ("car.jpg", numbered(picture, self._sent), "image/jpeg")}
        form = {"source_id": f"door{self._sent}"}
        done = api.post("/v1/jobs", files=files, data=form, params={"wait": 60}).raise_for_status().json()
        if done["status"] != "stored":
            raise RuntimeError(f"job {done['job_id']}: status {done['status']!r}, expected 'stored'")


def _client(system: System, port: int) -> httpx.Client:
    """With a key, when the API answers."""
    made = run_once("storage", "create-key", "benchmark", "admin", environment=system.environment)
    key = made.strip().splitlines()[-1]
    client = httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": key}, timeout=_TIMEOUT_S, trust_env=False
    )
    until = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < until:
        with suppress(httpx.HTTPError):
            if client.get("/readyz").is_success:
                return client
        time.sleep(0.1)
    raise RuntimeError(f"the API does not answer on port {port}\n{system.log()}")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])

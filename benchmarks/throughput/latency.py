"""One picture at a time through the API of an idle system: what its way adds to bare inference, to the stored row and
to the answer."""

from __future__ import annotations

import os
import time
from contextlib import closing, suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx

from benchmarks.throughput.pictures import numbered
from benchmarks.throughput.reader import Reader
from benchmarks.throughput.samples import Sample, quantile
from benchmarks.throughput.system import MODELS, System, running
from benchmarks.throughput.work import Work
from sightline.local.checkout import run_once
from sightline.local.embedded_redis import free_port
from sightline.settings import load_settings

_BARE = "bare inference, one picture"
_ROW_TIMES = "BENCHMARK_ROW_TIMES"  #: as `row_times` has it, which would import the workers
_WARM_UP = 8
_TIMEOUT_S = 300


class _Way(NamedTuple):
    """A picture's; times are of `time.perf_counter()`, in seconds."""

    bare_ms: float
    job_id: str
    began_at: float
    ended_at: float  #: with the answer


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
        path = Path(os.environ.setdefault(_ROW_TIMES, str(self._work.folder / "row_times")))
        app = "benchmarks.throughput.row_times"
        with (
            running(self._work, given=given, api=True, fused=True, app=app) as system,
            closing(_client(system, port)) as api,
        ):
            for number in range(_WARM_UP):
                self._submit(api, self._work.picture(number))
            ways = [self._way(api, self._work.picture(number)) for number in range(self._work.frames)]
        stored_at = dict(line.split() for line in path.read_text().splitlines())
        to_row = [(float(stored_at[way.job_id]) - way.began_at) * 1000 - way.bare_ms for way in ways]
        to_answer = [(way.ended_at - way.began_at) * 1000 - way.bare_ms for way in ways]
        return [
            Sample(_BARE, median(way.bare_ms for way in ways), "ms", _BARE),
            Sample("latency added to the row, p50", median(to_row), "ms", _BARE),
            Sample("latency added to the row, p99", quantile(to_row, 0.99), "ms", _BARE),
            Sample("latency added to the answer, p50", median(to_answer), "ms", _BARE),
            Sample("latency added to the answer, p99", quantile(to_answer, 0.99), "ms", _BARE),
        ]

    def _way(self, api: httpx.Client, picture: bytes) -> _Way:
        """Bare inference and an upload of the same picture, one after the other."""
        began_at = time.perf_counter()
        self._reader.read([picture])
        bare_ms = (time.perf_counter() - began_at) * 1000
        began_at = time.perf_counter()
        job_id = self._submit(api, picture)
        return _Way(bare_ms, job_id, began_at, time.perf_counter())

    def _submit(self, api: httpx.Client, picture: bytes) -> str:
        """Upload and wait; gives the job's id. A result is posted after the commit of its rows.

        Each is of a source of its own: on an idle system nothing else was seen there a moment ago.
        """
        self._sent += 1
        files = {"files": ("car.jpg", numbered(picture, self._sent), "image/jpeg")}
        form = {"source_id": f"door{self._sent}"}
        done = api.post("/v1/jobs", files=files, data=form, params={"wait": 60}).raise_for_status().json()
        if done["status"] != "stored":
            raise RuntimeError(f"job {done['job_id']}: status {done['status']!r}, expected 'stored'")
        return str(done["job_id"])


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

"""Starts the tutorials' worker and sends it frames."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from celery import Celery

from benchmarks.throughput import limit
from benchmarks.throughput.pace import Pace
from benchmarks.throughput.samples import Sample
from benchmarks.throughput.system import ROOT
from benchmarks.throughput.work import Work
from sightline.capacity.meter import Meter
from sightline.local.embedded_redis import prepare_redis
from sightline.local.machine import count_cores

_TIMEOUT_S = 300


def measure_naive(work: Work) -> list[Sample]:
    """In onnxruntime, and in torch as well where an interpreter has ultralytics."""
    samples = [_measure(work, sys.executable, "onnxruntime")]
    python = str(work.torch_python or sys.executable)
    return [*samples, _measure(work, python, "torch")] if _has_torch(python) else samples


def _has_torch(python: str) -> bool:
    code = "import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, ('torch', 'ultralytics'))))"
    return subprocess.run([python, "-c", code], check=False).returncode == 0


def _measure(work: Work, python: str, runtime: str) -> Sample:
    """A prefork worker with as many processes as there are cores, a Redis of its own."""
    folder = Path(tempfile.mkdtemp(dir=work.folder))
    redis = prepare_redis(folder / "redis")
    given = {"NAIVE_REDIS_URL": redis.url, "NAIVE_FOLDER": str(folder), "NAIVE_RUNTIME": runtime}
    worker = [python, "-m", "celery", "-q", "-A", "benchmarks.throughput.peers.naive", "worker"]
    with (folder / "log").open("wb") as log:
        processes = {
            "redis": subprocess.Popen(redis.command, stdout=log),
            "worker": subprocess.Popen(
                [*worker, "-c", str(count_cores())], cwd=ROOT, env=os.environ | given, stdout=log, stderr=log
            ),
        }
    try:
        client = Celery("naive", broker=redis.url, backend=redis.url, set_as_current=False)
        _process(client, work, 4 * count_cores())
        pace = Pace(work.limit_now)
        meter = Meter({"publish": os.getpid()} | {role: process.pid for role, process in processes.items()})
        read = _process(client, work, work.frames)
        speed, cpu_ms, base = work.frames / meter.wall_s(), meter.cpu_ms(work.frames), pace.base()
        return Sample(f"naive, {runtime}", speed, "frames/s", limit.NAME, cpu_ms, read / work.frames, base)
    finally:
        for process in reversed(processes.values()):
            process.terminate()
            process.wait(60)


def _process(client: Celery, work: Work, frames: int) -> int:
    """Send frames and get all results. Returns how many plates were read."""
    sent: list[Any] = []
    for number in range(frames):
        text = base64.b64encode(work.picture(number)).decode()
        sent.append(client.send_task("benchmarks.throughput.peers.naive.process", (str(number), text)))
    return sum(result.get(timeout=_TIMEOUT_S) for result in sent)

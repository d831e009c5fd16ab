"""Frames a second with more and more detect workers, to those with one of the same round."""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

from benchmarks.lanes.detector import BATCH_S
from benchmarks.lanes.load import BULK, Load, Window
from benchmarks.throughput.system import STUBS, running
from benchmarks.throughput.work import Work
from sightline.local.machine import count_cores
from sightline.redis.connection import connect
from sightline.types import Lane

_BUNDLE = 32
_LEAST_WAITING = 64  #: frames a worker, so that none ever lacks work


def measure_scaling(work: Work, options: argparse.Namespace) -> list[dict[str, Any]]:
    rounds = [{count: _measure(work, options, count) for count in options.workers} for _ in range(options.rounds)]
    first = options.workers[0]
    return [
        {
            "workers": count,
            "frames/s": median(found[count][0] for found in rounds),
            f"x of {first}": median(found[count][0] / found[first][0] for found in rounds),
            "share of what the GPUs can": median(found[count][0] for found in rounds) * BATCH_S / options.batch / count,
            "CPU ms a frame": median(sum(found[count][1].values()) for found in rounds),
            "cores busy": median(found[count][0] * sum(found[count][1].values()) / 1000 for found in rounds),
            "cores": count_cores(),
            "by role": _by_role(rounds[0][count][1]),
        }
        for count in options.workers
    ]


def _measure(work: Work, options: argparse.Namespace, count: int) -> tuple[float, dict[str, float]]:
    """Frames a second, and CPU ms a frame by role."""
    frames = _frames(options, count)
    given = STUBS | {
        "max_batch_size": options.batch,
        "max_open_frames": 2 * frames,
        "max_open_frames_per_source": 2 * frames,
    }
    with running(work, given=given, app="benchmarks.lanes.gpu", detectors=count) as system:
        load = Load(system)
        for _ in range(count):  # each has loaded and worked once
            load.publish(Lane.BULK, BULK, _BUNDLE)
        system.wait()
        time.sleep(3)
        load.fill_bulk(frames // _BUNDLE, _BUNDLE)
        time.sleep(1)
        window, meter = Window(load), system.meter()
        before = load.stored()[BULK]
        time.sleep(options.seconds)
        speed = window.rates()[BULK]
        cpu_ms = meter.cpu_ms(max(1, load.stored()[BULK] - before))
        if load.open_frames().get(BULK, 0) < _LEAST_WAITING * count:
            raise RuntimeError(f"bulk ran out with {count} workers: give fewer --seconds")
        connect(system.settings.redis_url).flushall()
    return speed, cpu_ms


def _frames(options: argparse.Namespace, count: int) -> int:
    """What the simulated GPUs could do at most in that time, and some more."""
    most = count * options.batch / BATCH_S * (options.seconds + 2) + _LEAST_WAITING * count
    return int(most // _BUNDLE + 8) * _BUNDLE


def _by_role(cpu_ms: dict[str, float]) -> str:
    roles: dict[str, float] = {}
    for role, value in cpu_ms.items():
        name = role.rstrip("0123456789")
        roles[name] = roles.get(name, 0.0) + value
    return ", ".join(f"{name} {value:.2f}" for name, value in roles.items())

"""Live frames with and without bulk beside them; bulk with and without live; bulk where live would take everything."""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

from benchmarks.lanes.load import BULK, LIVE, Load, Window
from benchmarks.throughput.samples import quantile
from benchmarks.throughput.system import STUBS, running
from benchmarks.throughput.work import Work
from sightline.redis.connection import connect

_WARM_UP = 40
_SATURATING = 64


def measure_lanes(work: Work, options: argparse.Namespace) -> list[dict[str, Any]]:
    rounds = [_round(work, options) for _ in range(options.rounds)]
    return [
        {"figure": name, "value": median(found[name] for found in rounds)} | _span(rounds, name) for name in rounds[0]
    ]


def _span(rounds: list[dict[str, float]], name: str) -> dict[str, float]:
    return {"lowest": min(found[name] for found in rounds), "highest": max(found[name] for found in rounds)}


def _round(work: Work, options: argparse.Namespace) -> dict[str, float]:
    frames = options.bulk_jobs * options.bulk_frames
    given = STUBS | {
        "max_batch_size": options.batch,
        "max_open_frames": 2 * frames,
        "max_open_frames_per_source": 2 * frames,
        "live_max_open_frames": 1000,
    }
    with running(work, given=given, fused=options.fused, app="benchmarks.lanes.gpu") as system:
        load = Load(system)
        load.live_ms(options.live_per_s, _WARM_UP / options.live_per_s)
        alone = load.live_ms(options.live_per_s, options.seconds)
        load.fill_bulk(options.bulk_jobs, options.bulk_frames)
        time.sleep(1)
        window = Window(load)
        time.sleep(options.seconds)
        bulk_alone = window.rates()[BULK]
        window = Window(load)
        beside = load.live_ms(options.live_per_s, options.seconds)
        both = window.rates()
        with load.live_without_end(_SATURATING):
            time.sleep(1)
            window = Window(load)
            time.sleep(options.seconds)
            flooded = window.rates()
        if not load.open_frames().get(BULK):
            raise RuntimeError("bulk ran out: give more --bulk-jobs, or fewer --seconds")
        connect(system.settings.redis_url).flushall()  # what is left need not be done
    alone_p95, beside_p95 = quantile(alone, 0.95), quantile(beside, 0.95)
    return {
        "live alone, p50 ms": quantile(alone, 0.5),
        "live alone, p95 ms": alone_p95,
        "live beside bulk, p50 ms": quantile(beside, 0.5),
        "live beside bulk, p95 ms": beside_p95,
        "p95 beside bulk / alone": beside_p95 / alone_p95,
        "bulk alone, frames/s": bulk_alone,
        "bulk beside live, frames/s": both[BULK],
        "live beside bulk, frames/s": both[LIVE],
        "all beside each other / bulk alone": (both[BULK] + both[LIVE]) / bulk_alone,
        "flooded with live, live frames/s": flooded[LIVE],
        "flooded with live, bulk frames/s": flooded[BULK],
        "flooded with live, share of bulk": flooded[BULK] / (flooded[BULK] + flooded[LIVE]),
    }

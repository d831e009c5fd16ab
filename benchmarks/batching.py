"""What batching costs and what it gives: `python -m benchmarks.batching [--json FILE]`.

Two questions. What does the batcher itself cost an item (a model that takes no time)? And what does a model with a
fixed cost per call and a small cost per image (2 ms + 0.5 ms, slept) deliver when 1..32 jobs are in flight at once?
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.batching.batcher import Batcher

CALL_MS, IMAGE_MS = 2.0, 0.5


def sleep_like_a_model(items: list[int]) -> list[int]:
    time.sleep((CALL_MS + IMAGE_MS * len(items)) / 1000)
    return items


def measure(
    process: Callable[[list[int]], list[int]], *, max_batch_size: int, max_wait_ms: float, jobs: int, seconds: float
) -> dict[str, Any]:
    """Keep `jobs` single-image jobs in flight for `seconds`; gives images/s, latency and batch sizes."""
    batcher: Batcher[int, int] = Batcher(
        process, max_batch_size=max_batch_size, max_wait_ms=max_wait_ms, name="benchmark"
    )
    latencies_ms: list[float] = []
    end = time.perf_counter() + seconds

    def run_jobs() -> None:
        while (start := time.perf_counter()) < end:
            (ticket,) = batcher.submit([0])
            ticket.result()
            latencies_ms.append((time.perf_counter() - start) * 1000)

    threads = [threading.Thread(target=run_jobs) for _ in range(jobs)]
    cpu_before = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cpu_s = time.process_time() - cpu_before
    batcher.close()
    stats, latencies_ms = batcher.stats, sorted(latencies_ms)
    return {
        "max_batch_size": max_batch_size,
        "max_wait_ms": max_wait_ms,
        "jobs_in_flight": jobs,
        "images_per_s": round(stats.items / seconds),
        "p50_ms": round(latencies_ms[len(latencies_ms) // 2], 2),
        "p99_ms": round(latencies_ms[len(latencies_ms) * 99 // 100], 2),
        "mean_batch": round(stats.items / stats.batches, 1),
        "cpu_us_per_image": round(cpu_s / stats.items * 1e6),
        "flushed": stats.flushed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batching", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each row")
    parser.add_argument("--json", type=Path, help="write the rows there too")
    arguments = parser.parse_args()
    plan: list[tuple[str, Callable[[list[int]], list[int]], int, float, int]] = [
        ("no model", lambda items: items, 16, 0, 1),
        ("no model", lambda items: items, 16, 0, 8),
        *[("model", sleep_like_a_model, 1, 0.0, jobs) for jobs in (1, 8, 32)],
        *[("model", sleep_like_a_model, 16, 0.0, jobs) for jobs in (1, 8, 32)],
        *[("model", sleep_like_a_model, 16, 5.0, jobs) for jobs in (1, 8, 32)],
    ]
    rows: list[dict[str, Any]] = []
    names = ["max_batch_size", "max_wait_ms", "jobs_in_flight", "images_per_s", "p50_ms", "p99_ms", "mean_batch"]
    names.append("cpu_us_per_image")
    print("process   " + "  ".join(names))
    for label, process, size, wait_ms, jobs in plan:
        row = measure(process, max_batch_size=size, max_wait_ms=wait_ms, jobs=jobs, seconds=arguments.seconds)
        rows.append({"process": label, **row})
        print(f"{label:<10}" + "  ".join(f"{row[name]:>{len(name)}}" for name in names))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()

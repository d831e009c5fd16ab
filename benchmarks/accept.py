"""What durable accept costs the API: `python -m benchmarks.accept [--database URL] [--json FILE]`.

Publishes one picture a job, as the API does: noted nowhere but in Redis, and noted in the database too; each with the
pixels in a folder, and in Redis, where the noting makes a second copy in the picture store.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sightline.delivery.publisher import Publisher
from sightline.ids import new_id
from sightline.local.embedded_redis import prepare_redis
from sightline.settings import Settings, load_settings
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job
from storage.database.opening import open_database
from storage.database.revision import upgrade
from storage.jobs.accepted import Accepted

JOBS = 400


def measure(settings: Settings, pixels: bytes, *, is_durable: bool) -> dict[str, Any]:
    """Milliseconds of one publish: the median, and what 95 of 100 stay below."""
    upgrade(settings.sqlalchemy_url)
    database = open_database(settings.sqlalchemy_url)
    accepted = Accepted.from_settings(database, settings)
    publisher = Publisher.from_settings(settings, accepted.keep if is_durable else None)
    took_ms: list[float] = []
    for number in range(JOBS):
        frame = FrameRef(frame_id=new_id(), source_id=f"api{number % 4}", captured_at=datetime.now(UTC))
        job = Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=(frame,))
        started_at = time.perf_counter()
        publisher.publish(job, {frame.frame_id: pixels})
        took_ms.append((time.perf_counter() - started_at) * 1000)
    publisher.close()
    database.close()
    return {
        "median_ms": round(statistics.median(took_ms), 2),
        "p95_ms": round(statistics.quantiles(took_ms, n=20)[-1], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accept", description=__doc__)
    parser.add_argument("--database", help="instead of a SQLite of its own")
    parser.add_argument("--picture-kb", type=int, default=300)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pixels = os.urandom(options.picture_kb * 1000)
    rows: list[dict[str, Any]] = []
    for frames in ("folder", "redis"):
        for is_durable in (False, True):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                redis = prepare_redis(folder / "redis")
                process = subprocess.Popen(redis.command, stdout=subprocess.DEVNULL)
                time.sleep(1)
                frames_url = redis.url if frames == "redis" else (folder / "frames").as_uri()
                settings = load_settings(
                    data_dir=folder, redis_url=redis.url, frames_url=frames_url, database_url=options.database or ""
                )
                try:
                    measured = measure(settings, pixels, is_durable=is_durable)
                finally:
                    process.terminate()
                    process.wait(10)
            rows.append({"pixels in": frames, "noted": is_durable} | measured)
    print(f"{'pixels in':<12}{'noted in SQL':<14}{'ms a job':>10}{'p95':>10}")
    for row in rows:
        print(f"{row['pixels in']:<12}{row['noted']!s:<14}{row['median_ms']:>10}{row['p95_ms']:>10}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()

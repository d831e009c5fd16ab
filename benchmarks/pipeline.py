"""What a frame costs on its whole way, without models: publish, detect, OCR, write, settle.

Real Redis, real `celery -A workers.app` processes (one a role), real SQLite; the stub models find and read a drawn
picture in no time, so what is left is the price of moving it. More frames in one message divide that price.

    python -m benchmarks.pipeline [--frames 1000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from sightline.delivery.publisher import Publisher
from sightline.ids import new_id
from sightline.local.embedded_redis import prepare_redis
from sightline.pipelines import registry
from sightline.settings import load_settings
from sightline.testing import make_picture
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job

ROOT = Path(__file__).parents[1]
_BUNDLES = (1, 8, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000, help="frames per bundle size")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _system(Path(folder)) as publisher:
        _measure(publisher, 64, 8)  # the first messages pay for connections
        found = [_measure(publisher, options.frames, bundle) for bundle in track(_BUNDLES, "measuring", transient=True)]
    table = Table("frames a message", "publish ms/frame", "frames/s end to end", "x")
    for row in found:
        ratio = row["frames_per_s"] / found[0]["frames_per_s"]
        cells = (f"{row['publish_ms']:.2f}", f"{row['frames_per_s']:.0f}", f"{ratio:.1f}")
        table.add_row(str(row["bundle"]), *cells)
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


def _measure(publisher: Publisher, frames: int, bundle: int) -> dict[str, Any]:
    picture = make_picture("AB123CD")
    started_at = time.perf_counter()
    for _ in range(frames // bundle):
        refs = tuple(
            FrameRef(frame_id=new_id(), source_id="bench", captured_at=datetime.now(UTC)) for _ in range(bundle)
        )
        job = Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=refs)
        publisher.publish(job, {ref.frame_id: picture for ref in refs})
    published_s = time.perf_counter() - started_at
    while publisher.ledger.open_frames():
        time.sleep(0.02)
    took_s = time.perf_counter() - started_at
    sent = frames // bundle * bundle
    return {"bundle": bundle, "frames": sent, "publish_ms": published_s * 1000 / sent, "frames_per_s": sent / took_s}


@contextmanager
def _system(folder: Path) -> Iterator[Publisher]:
    """Redis and one worker a role, on a folder of their own."""
    redis = prepare_redis(folder / "redis")
    settings = load_settings(
        data_dir=folder,
        redis_url=redis.url,
        plates_model="stub",
        text_model="stub",
        objects_model="stub",
        recognizer="stub",
        max_open_frames_per_source=20_000,
        keep_pictures="none",
    )
    given = settings.model_dump(mode="json", include=settings.model_fields_set)
    environment = os.environ | {f"SIGHTLINE_{name.upper()}": str(value) for name, value in given.items()}
    processes = [subprocess.Popen(redis.command, stdout=subprocess.DEVNULL)]
    subprocess.run(
        [sys.executable, "-m", "storage", "upgrade"], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL
    )
    for queue in registry().queues:
        command = ["-m", "celery", "-q", "-A", "workers.app", "worker", "-P", "threads", "-c", "8", "-Q", queue]
        options = ["-n", f"{queue}@%h", "--without-gossip", "--without-mingle"]
        quiet = subprocess.DEVNULL
        processes.append(
            subprocess.Popen(
                [sys.executable, *command, *options], cwd=ROOT, env=environment, stdout=quiet, stderr=quiet
            )
        )
    publisher = Publisher.from_settings(settings)
    try:
        yield publisher
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(20)


if __name__ == "__main__":
    main()

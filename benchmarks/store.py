"""What storing costs: `python -m benchmarks.store [--json FILE]`.

Groups of bundles as the writer makes them (8 messages of 8 frames, one plate each, 8 cameras) go into a fresh SQLite:
without sinks, with one that wants passages, and with one that wants everything.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sightline.events import PASSAGE_EVENTS, Event
from sightline.messages import Job, Message
from sightline.types import Detection, FrameRef, FrameResult, Lane, Pipeline, Reading
from storage.database import open_database, upgrade
from storage.sinks import add_sink, new_sink
from storage.store import Store

GROUP, FRAMES = 8, 8
START = datetime(2026, 5, 1, tzinfo=UTC)


def box(number: int) -> tuple[float, float, float, float]:
    """The car moves by half its plate from frame to frame."""
    left = 10.0 + 50 * (number % 20)
    return (left, 20.0, left + 100, 50.0)


def bundle(number: int) -> Message:
    """One frame of each camera; every camera sees another car each 20 bundles."""
    results = tuple(
        FrameResult(
            frame=FrameRef(
                frame_id=f"frame-{number:06d}-{camera}",
                source_id=f"cam{camera}",
                captured_at=START + timedelta(seconds=number / 5 + 60 * (number // 20)),
            ),
            width=1280,
            height=720,
            detections=(Detection(xyxy=box(number), label="plate", class_id=0, confidence=0.9),),
            readings=(Reading(text=f"AB{number // 20 % 90 + 10}CD", confidence=0.95, detection_index=0),),
        )
        for camera in range(FRAMES)
    )
    frames = tuple(result.frame for result in results)
    job = Job(job_id=f"job-{number:08d}", pipeline=Pipeline.PLATES, lane=Lane.LIVE, frames=frames)
    return Message(job=job, results=results)


def measure(groups: int, events: Sequence[Event]) -> dict[str, Any]:
    """Milliseconds of one transaction, and frames a second; with a sink for these events, if there are any."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'store.sqlite3'}"
        upgrade(url)
        database = open_database(url)
        if events:
            add_sink(database, new_sink(sink_id="bench", url="http://127.0.0.1:9/", events=events))
        store = Store(database, passage_gap_s=10, parked_gap_s=600)
        took_ms: list[float] = []
        for group in range(groups):
            messages = [bundle(group * GROUP + index) for index in range(GROUP)]
            started_at = time.perf_counter()
            store.store(messages, ())
            took_ms.append((time.perf_counter() - started_at) * 1000)
        database.close()
    median = statistics.median(took_ms)
    return {"median_ms": round(median, 2), "frames_per_s": round(GROUP * FRAMES / median * 1000)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description=__doc__)
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cases: dict[str, Sequence[Event]] = {"none": (), "passages": PASSAGE_EVENTS, "everything": tuple(Event)}
    rows = [{"sink": name} | measure(options.groups, events) for name, events in cases.items()]
    print(f"{'sink':<12}{'ms a group':>12}{'frames/s':>12}")
    for row in rows:
        print(f"{row['sink']:<12}{row['median_ms']:>12}{row['frames_per_s']:>12}")
    if options.json:
        options.json.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()

"""What deleting old rows costs the writes beside it: `python -m benchmarks.retention [--rows N] [--on sqlite]`.

Fills a fresh SQLite and a PostgreSQL of its own with frames of last year, four detections and a reading each. Then a
writer stores groups of bundles, eight messages of eight frames, at a steady rate; in turns alone, and while what is
old is deleted in another thread of its process, as in a real writer. A ratio of 2 would say: one write in twenty takes
twice as long as the slowest twentieth does alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa

from benchmarks.search import fresh
from benchmarks.store import GROUP, bundle
from sightline.settings import Settings, load_settings
from sightline.testing import MemoryFrameStore
from storage.database.engine import Database
from storage.items.writers import RowsOfPipelines
from storage.plates.text import fold
from storage.results.store import Store
from storage.retention.retention import Horizons, remove_old
from storage.tables import Detections, Frames, Jobs, Passages, Readings, Sources

FRAMES_A_JOB, DETECTIONS_A_FRAME, FRAMES_A_PASSAGE = 8, 4, 10
ROWS_A_FRAME = 2 + DETECTIONS_A_FRAME  #: itself, its detections, its reading
CHUNK = 10_000
SOURCES = [f"old{number}" for number in range(8)]


def fill(database: Database, frames: int) -> None:
    """Frames of the year before the last, one every half minute at most."""
    start = datetime.now(UTC) - timedelta(days=730)
    step = timedelta(days=330) / frames
    with database.write() as connection:
        connection.execute(sa.insert(Sources), [{"source_id": name, "created_at": start} for name in SOURCES])
    for first in range(0, frames, CHUNK):
        numbers = range(first, min(frames, first + CHUNK))
        with database.write() as connection:
            for table, rows in _rows(numbers, start, step):
                connection.execute(sa.insert(table), rows)
    with database.write() as connection:
        connection.exec_driver_sql("ANALYZE")


def _rows(numbers: range, start: datetime, step: timedelta) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    found = [_frame(number, start + number * step) for number in numbers]
    yield Jobs, [_job(frame) for frame in found[::FRAMES_A_JOB]]
    yield Frames, found
    yield Passages, [_passage(frame) for frame in found[::FRAMES_A_PASSAGE]]
    yield Detections, [_detection(frame, index) for frame in found for index in range(DETECTIONS_A_FRAME)]
    yield Readings, [_reading(frame) for frame in found]


def _frame(number: int, at: datetime) -> dict[str, Any]:
    return {
        "frame_id": f"old-{number:08d}",
        "source_id": SOURCES[number // FRAMES_A_PASSAGE % len(SOURCES)],
        "job_id": f"old-{number // FRAMES_A_JOB:08d}",
        "captured_at": at,
        "seq": number,
        "name": "",
        "width": 1280,
        "height": 720,
        "stages": [{"stage": "detect", "model": "plates-detector", "worker": "detect@host", "inference_ms": 12.5}],
        "picture_kept": True,
        "published_at": at,
        "stored_at": at,
    }


def _job(frame: dict[str, Any]) -> dict[str, Any]:
    first = int(frame["seq"])
    return {
        "job_id": frame["job_id"],
        "pipeline": "plates",
        "lane": "live",
        "status": "stored",
        "attempt": 1,
        "frame_count": FRAMES_A_JOB,
        "published_at": frame["published_at"],
        "finished_at": frame["stored_at"],
        "outcomes": [[f"old-{number:08d}", "stored"] for number in range(first, first + FRAMES_A_JOB)],
        "dropped": [],
    }


def _passage(frame: dict[str, Any]) -> dict[str, Any]:
    text = f"AB{frame['seq'] // FRAMES_A_PASSAGE % 100_000:05d}"
    times = dict.fromkeys(("first_seen", "last_seen", "best_seen", "updated_at", "final_at"), frame["captured_at"])
    return times | {
        "passage_id": f"{frame['frame_id']}.0",
        "source_id": frame["source_id"],
        "text": text,
        "confidence": 0.95,
        "reading_count": FRAMES_A_PASSAGE,
        "best_confidence": 0.98,
        "best_frame_id": frame["frame_id"],
        "best_reading_index": 0,
        "votes": {text: {"count": 10, "weights": [9000] * len(text)}},
        "folded": fold(text),
    }


def _detection(frame: dict[str, Any], index: int) -> dict[str, Any]:
    box = {"x1": 10.0 + index, "y1": 20.0, "x2": 110.0, "y2": 50.0}
    return _of_frame(frame) | box | {"detection_index": index, "label": "plate", "class_id": 0, "confidence": 0.9}


def _reading(frame: dict[str, Any]) -> dict[str, Any]:
    passage = int(frame["seq"]) // FRAMES_A_PASSAGE * FRAMES_A_PASSAGE
    return _of_frame(frame) | {
        "reading_index": 0,
        "text": "AB12345",
        "normalized": "AB12345",
        "confidence": 0.95,
        "char_confidences": [0.95] * 7,
        "passage_id": f"old-{passage:08d}.0",
    }


def _of_frame(frame: dict[str, Any]) -> dict[str, Any]:
    return {name: frame[name] for name in ("frame_id", "source_id", "captured_at")}


class Writer:
    """Stores a group of bundles so many times a second; a late one is followed by the next at once."""

    def __init__(self, database: Database, per_s: float) -> None:
        self._store = Store(
            database, RowsOfPipelines(Settings.model_validate({"passage_gap_s": 10, "parked_gap_s": 600}))
        )
        self._numbers = itertools.count()
        self._period_s = 1 / per_s

    def write(self, seconds: float) -> list[float]:
        """Milliseconds of each write."""
        took_ms: list[float] = []
        end_at = time.perf_counter() + seconds
        next_at = time.perf_counter()
        while next_at < end_at:
            messages = [bundle(number) for number in itertools.islice(self._numbers, GROUP)]
            time.sleep(max(0.0, next_at - time.perf_counter()))
            started_at = time.perf_counter()
            self._store.store(messages, ())
            took_ms.append((time.perf_counter() - started_at) * 1000)
            next_at = max(next_at + self._period_s, started_at)
        return took_ms


@contextmanager
def removing(database: Database) -> Iterator[dict[str, float]]:
    """Gives a place for what was deleted, filled in at the end."""
    stop = threading.Event()
    result: dict[str, float] = {}

    def run() -> None:
        began_at, now = time.perf_counter(), datetime.now(UTC)
        # As by default: only what `fill` made is older than a year.
        horizons = Horizons.from_settings(load_settings(), now)
        removed = remove_old(database, MemoryFrameStore(), horizons, now, wait=stop.wait, thorough=False)
        result["rows"], result["seconds"] = removed.total(), time.perf_counter() - began_at

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield result
    finally:
        stop.set()
        thread.join()


def measure(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    alone: list[float] = []
    beside: list[float] = []
    rows = seconds = 0.0
    with fresh(kind, durable=True) as database:
        started_at = time.perf_counter()
        fill(database, options.rows // ROWS_A_FRAME)
        filled_s = time.perf_counter() - started_at
        print(f"{kind}: {options.rows:,} rows in {filled_s:.0f} s", flush=True)
        writer = Writer(database, options.per_s)
        writer.write(2)  # warm
        for _ in range(options.rounds):
            alone += writer.write(options.seconds)
            with removing(database) as removed:
                beside += writer.write(options.seconds)
            rows, seconds = rows + removed["rows"], seconds + removed["seconds"]
    result: dict[str, Any] = {"on": kind}
    for name, took in (("alone", alone), ("beside", beside)):
        result |= {f"{name}_p50_ms": _at(0.5, took), f"{name}_p95_ms": _at(0.95, took)}
    result["p95_ratio"] = round(_at(0.95, beside) / _at(0.95, alone), 2)
    result["removed_per_s"] = round(rows / seconds)
    return result


def _at(share: float, took: list[float]) -> float:
    return round(sorted(took)[int(share * len(took))], 1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retention", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="frames, detections and readings")
    parser.add_argument("--on", default="sqlite,postgres")
    parser.add_argument("--per-s", type=float, default=5.0, help="groups written a second, 64 frames each")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each half of a round")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = [measure(kind, options) for kind in cast(str, options.on).split(",")]
    print("| on | p50 alone ms | p50 beside | p95 alone ms | p95 beside | ratio of p95 | rows deleted a second |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    order = ("on", "alone_p50_ms", "beside_p50_ms", "alone_p95_ms", "beside_p95_ms", "p95_ratio", "removed_per_s")
    for row in results:
        print("| " + " | ".join(str(row[name]) for name in order) + " |")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()

"""What storing costs: `python -m benchmarks.store [--on sqlite,postgres] [--json FILE]`.

Groups of bundles as the writer makes them go into a fresh SQLite and a PostgreSQL of its own: 8 messages of 8 frames
with one plate each, 8 cameras, without sinks, with one that wants passages, and with one that wants everything;
64 photos that stand alone, each of another plate, all of one moment and a minute apart, as an import has them; and 32
messages of 8 frames with 8 objects each, which is what a writer with much to do stores at once. On a machine that
has other things to do the CPU time says more than the clock: of this process, and of PostgreSQL's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import psutil

from sightline.settings import Settings
from sightline.submission.sequences import LIVE
from sightline.types import Detection, FrameRef, FrameResult, Lane, Pipeline, Reading, StageRun
from sightline.wire.events import PASSAGE_EVENTS, Event
from sightline.wire.messages import Job, Message
from storage.database.engine import Database
from storage.items.writers import RowsOfPipelines
from storage.results.store import Store
from storage.sinks.sinks import add_sink, new_sink

GROUP, FRAMES = 8, 8
START = datetime(2026, 5, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """`objects` on a frame, and no plate; 0: a plate. `photos_every_s`: photos so far apart in place of cameras."""

    name: str
    messages: int = GROUP
    objects: int = 0
    photos_every_s: float | None = None
    events: Sequence[Event] = ()


CASES = (
    Case("plates"),
    Case("plates, sink for passages", events=PASSAGE_EVENTS),
    Case("plates, sink for everything", events=tuple(Event)),
    Case("photos a minute apart", messages=GROUP * FRAMES, photos_every_s=60),
    Case("photos of one moment", messages=GROUP * FRAMES, photos_every_s=0),
    Case("objects", messages=32, objects=8),
)


def box(number: int) -> tuple[float, float, float, float]:
    """The car moves by half its plate from frame to frame."""
    left = 10.0 + 50 * (number % 20)
    return (left, 20.0, left + 100, 50.0)


def bundle(number: int, objects: int = 0) -> Message:
    """One frame of each camera; every camera sees another car each 20 bundles."""
    label = "car" if objects else "plate"
    found = tuple(
        Detection(xyxy=box(number + index), label=label, class_id=0, confidence=0.9) for index in range(objects or 1)
    )
    text = f"AB{number // 20 % 90 + 10}CD"
    results = tuple(
        FrameResult(
            frame=FrameRef(
                frame_id=f"frame-{number:06d}-{camera}",
                source_id=f"cam{camera}",
                captured_at=START + timedelta(seconds=number / 5 + 60 * (number // 20)),
                sequence=LIVE,
                time_from="camera",
            ),
            width=1280,
            height=720,
            detections=found,
            readings=() if objects else (Reading(text=text, confidence=0.95, detection_index=0),),
            stages=(_RUN,) if objects else (),
        )
        for camera in range(FRAMES)
    )
    frames = tuple(result.frame for result in results)
    pipeline = Pipeline.OBJECTS if objects else Pipeline.PLATES
    return Message(
        job=Job(job_id=f"job-{number:08d}", pipeline=pipeline, lane=Lane.LIVE, frames=frames), results=results
    )


def photo(number: int, every_s: float) -> Message:
    """A job of one photo, as `sightline submit` makes them of a folder."""
    frame = FrameRef(
        frame_id=f"photo-{number:08d}",
        source_id="files",
        captured_at=START + timedelta(seconds=number * every_s),
        time_from="file",
    )
    plate = f"{chr(65 + number % 26)}{chr(65 + number // 26 % 26)}{number % 9973:04d}"
    reading = Reading(text=plate, confidence=0.97, char_confidences=(0.97,) * len(plate), detection_index=0)
    found = (Detection(xyxy=box(number), label="plate", class_id=0, confidence=0.9),)
    result = FrameResult(frame=frame, width=1280, height=720, detections=found, readings=(reading,))
    job = Job(job_id=f"job-{number:08d}", pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=(frame,))
    return Message(job=job, results=(result,))


_RUN = StageRun(
    stage="detect",
    model="yolo26n",
    model_sha256="ab" * 32,
    runtime="onnxruntime",
    worker="detect@host",
    queue_wait_ms=3.5,
    inference_ms=12.25,
    batch_size=8,
)


def measure(database: Database, case: Case, groups: int) -> dict[str, Any]:
    """Milliseconds of one transaction, frames and detections a second."""
    if case.events:
        add_sink(database, new_sink(sink_id="bench", url="http://127.0.0.1:9/", events=case.events))
    store = Store(database, RowsOfPipelines(Settings.model_validate({"passage_gap_s": 10, "parked_gap_s": 600})))
    took_ms: list[float] = []
    spent_s, server_before_s = 0.0, _children_cpu_s()
    for group in range(groups):
        first = group * case.messages
        messages = [_message(case, number) for number in range(first, first + case.messages)]
        started_at, began_cpu_s = time.perf_counter(), time.process_time()
        store.store(messages, ())
        took_ms.append((time.perf_counter() - started_at) * 1000)
        spent_s += time.process_time() - began_cpu_s
    median = statistics.median(took_ms)
    frames = case.messages * (FRAMES if case.photos_every_s is None else 1)
    frames_per_s = frames / median * 1000
    return {
        "median_ms": round(median, 2),
        "cpu_ms": round(spent_s / groups * 1000, 1),
        "server_cpu_ms": round((_children_cpu_s() - server_before_s) / groups * 1000, 1),
        "frames_per_s": round(frames_per_s),
        "detections_per_s": round(frames_per_s * (case.objects or 1)),
    }


def _message(case: Case, number: int) -> Message:
    if case.photos_every_s is not None:
        return photo(number, case.photos_every_s)
    return bundle(number, case.objects)


def _children_cpu_s() -> float:
    """CPU time of the PostgreSQL that this process started."""
    times = (child.cpu_times() for child in psutil.Process().children(recursive=True))
    return sum(each.user + each.system for each in times)


def main() -> None:
    from benchmarks.search import fresh

    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description=__doc__)
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--on", default="sqlite,postgres")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    columns = ("median_ms", "cpu_ms", "server_cpu_ms", "frames_per_s", "detections_per_s")
    print(f"{'on':<10}{'what':<30}" + "".join(f"{name:>18}" for name in columns))
    for kind in cast(str, options.on).split(","):
        for case in CASES:
            with fresh(kind, durable=True) as database:
                row = {"on": kind, "what": case.name} | measure(database, case, options.groups)
            rows.append(row)
            print(f"{kind:<10}{case.name:<30}" + "".join(f"{row[name]:>18}" for name in columns), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()

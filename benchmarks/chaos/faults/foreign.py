"""Somebody else's Celery app sends: jobs as docs/reference/wire.md tells it, and what it must not."""

from __future__ import annotations

import random
import time
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from celery import Celery

from benchmarks.chaos.faults.fault import Fault
from benchmarks.chaos.journal import Journal
from benchmarks.chaos.load import text_of
from benchmarks.chaos.machine.system import System
from benchmarks.chaos.switches import FOREIGN_JOURNAL, FOREIGN_LETTERS
from sightline.testing import make_picture
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job

_JOBS: Final = ((Pipeline.PLATES, 6), (Pipeline.OBJECTS, 6), (Pipeline.TEXT, 0), (Pipeline.OBJECTS, 0))
#: Far from the numbers of the load, so that pictures show other texts.
_FIRST_SEQ: Final = 1_000_000


class Foreign(Fault):
    """The jobs come to an end as all others do, without a publisher of ours, and the rest are dead letters."""

    name, repeats = "foreign", False

    def strike(self, system: System, rng: random.Random) -> None:
        app = Celery(broker=system.settings.redis_url, set_as_current=False)
        for number, (pipeline, priority) in enumerate(_JOBS):
            _send_job(app, system, pipeline, priority, _FIRST_SEQ + 4 * (rng.randrange(10_000) * len(_JOBS) + number))
        for number in range(len(_misuses(""))):
            name = f"foreign-{uuid4().hex}"
            with (system.folder / FOREIGN_LETTERS).open("a") as file:
                file.write(name + "\n")
            message: dict[str, Any] = {"name": "sightline.detect", "queue": "gpu.detect", **_misuses(name)[number]}
            app.send_task(task_id=name, **message)
        app.close()


def _send_job(app: Celery, system: System, pipeline: Pipeline, priority: int, seq: int) -> None:
    now = time.time()
    frame = FrameRef(frame_id=uuid4().hex, source_id="foreign", captured_at=datetime.fromtimestamp(now, UTC), seq=seq)
    lane = Lane.BULK if priority else Lane.INTERACTIVE
    job = Job(job_id=uuid4().hex, pipeline=pipeline, lane=lane, frames=(frame,), published_at=now)
    _put(system.folder / "frames", frame.frame_id, make_picture(text_of(system.seed, seq)))
    journal = Journal(system.folder / FOREIGN_JOURNAL)
    journal.write(job.job_id, "trying", job=job.model_dump(mode="json"), round=None, poison=False)
    message = {"v": 1, "job": job.model_dump(mode="json", exclude={"entered", "attempt"})}
    app.send_task(
        "sightline.detect",
        kwargs={"message": message},
        queue="gpu.detect",
        priority=priority,
        task_id=f"{job.job_id}:detect",
        headers={"sightline_sent_at": now},
    )
    journal.write(job.job_id, "accepted", refused=[])


def _put(folder: Path, key: str, data: bytes) -> None:
    file = folder / f"{zlib.crc32(key.encode()) & 0xFF:02x}" / key
    file.parent.mkdir(exist_ok=True)
    file.with_name(f".{key}").write_bytes(data)
    file.with_name(f".{key}").rename(file)


def _misuses(name: str) -> list[dict[str, Any]]:
    """What of `send_task` is different from a message that is worked on. `name`: of the job too."""
    frame = {"frame_id": name, "source_id": "foreign-bad", "captured_at": "2025-10-09T08:53:20Z"}
    job = {"job_id": name, "pipeline": "objects", "lane": "bulk", "frames": [frame]}
    kwargs, now = {"message": {"v": 1, "job": job}}, datetime.now(UTC)
    return [
        {"kwargs": kwargs, "eta": now + timedelta(days=1)},
        {"kwargs": kwargs, "expires": now - timedelta(seconds=1)},
        {"kwargs": kwargs, "compression": "zlib"},
        {"kwargs": kwargs, "serializer": "pickle"},
        {"kwargs": kwargs, "queue": "db.write"},
        {"kwargs": kwargs, "name": "elsewhere.add"},
        {"args": [kwargs["message"]]},
        {"kwargs": {"message": {"v": 1, "job": {**job, "lane": "fast"}}}},
        {"kwargs": {"message": {"v": 1, "job": job, "results": [{"frame": frame}]}}},
        {"kwargs": {"message": name}},
    ]

"""Real workers on a real Redis: work is shared, crashes lose nothing, bad input ends as a dead letter."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import redis
import sqlalchemy as sa
from celery import Celery

from sightline import AsyncSightline, JobStatus, Sightline
from sightline.blobs.names import frames_name
from sightline.ids import new_id
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job
from tests.acceptance.parts.system import System

Photo = Callable[[str, int], bytes]


def test_a_photo_becomes_rows(system: System, photo: Photo) -> None:
    system.start("detect", "ocr", "write")
    with Sightline(system.settings) as client:
        job = client.submit(photo("KAB 4721", 1), pipeline="plates", source_id="gate")
        result = job.wait(timeout_s=30)
        assert result.status is JobStatus.STORED
        assert [reading.text.replace(" ", "") for reading in result.readings] == ["KAB4721"]
        assert client.submit(photo("KAB 4721", 1), pipeline="plates", source_id="gate").wait(1) == result
    system.wait_until_quiet()
    with system.database() as database, database.read() as connection:
        row = connection.execute(sa.text("SELECT text, source_id, reading_count FROM passages")).one()
        assert tuple(row) == ("KAB4721", "gate", 1)
        detection: Any = connection.execute(sa.text("SELECT * FROM detections")).one()
        assert detection.model == "plates-detector"
        assert len(detection.model_sha256) == 64
        assert detection.worker.startswith("detect@")
        assert detection.inference_ms > 0


def test_a_killed_worker_loses_nothing(system_on: System, photo: Photo) -> None:
    """Two workers a role share the work; one of each is killed with kill -9 under load."""
    system_on.start("detect1", "detect2", "ocr1", "ocr2", "write1", "write2")
    _kill_under_load(system_on, photo, {25: "detect1", 35: "ocr1", 45: "write1"})
    assert _detectors(system_on) == {"detect1", "detect2"}


def test_a_killed_worker_that_did_everything_loses_nothing(system: System, photo: Photo) -> None:
    system.start("worker1", "worker2")
    _kill_under_load(system, photo, {25: "worker1"})
    assert _detectors(system) == {"worker1", "worker2"}


def test_workers_of_one_role_help_one_that_does_everything(system: System, photo: Photo) -> None:
    """What the `detect` worker found only the other can read; it dies, and what it held is started over elsewhere."""
    system.start("worker", "detect")
    _kill_under_load(system, photo, {25: "detect"})
    assert _detectors(system) == {"worker", "detect"}


def _kill_under_load(system_on: System, photo: Photo, victims: dict[int, str]) -> None:
    """Submit 60 pictures and kill workers after so many of them; all are stored, once."""
    with Sightline(system_on.settings) as client:
        for number in range(60):
            client.submit(photo(f"KAB {4000 + number}", number % 5), lane=Lane.BULK, source_id=f"cam{number % 3}")
            if number == min(victims):
                _wait_for_rows_of(system_on, victims[number])
            if number in victims:
                system_on.kill(victims[number])
                time.sleep(0.2)
        system_on.wait_until_quiet(90)
        ledger = client.publisher.ledger
        counts = ledger.counts()
    assert {source: count["published"] for source, count in counts.items()} == {"cam0": 20, "cam1": 20, "cam2": 20}
    assert {source: count.get("stored", 0) for source, count in counts.items()} == {"cam0": 20, "cam1": 20, "cam2": 20}
    with system_on.database() as database, database.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM frames")) == 60
        assert connection.scalar(sa.text("SELECT count(*) FROM dead_letters")) == 0
        twice = "SELECT count(*) FROM (SELECT 1 FROM readings GROUP BY frame_id, detection_index HAVING count(*) > 1) t"
        assert connection.scalar(sa.text(twice)) == 0
    assert list((system_on.folder / "frames").glob("*/*")) == []  # the pixels of finished frames are freed


def _detectors(system: System) -> set[str]:
    with system.database() as database, database.read() as connection:
        return {name.split("@")[0] for (name,) in connection.execute(sa.text("SELECT worker FROM detections"))}


def _wait_for_rows_of(system: System, worker: str) -> None:
    until = time.monotonic() + 30
    with system.database() as database:
        while time.monotonic() < until:
            with database.read() as connection:
                if connection.scalar(sa.text(f"SELECT count(*) FROM detections WHERE worker LIKE '{worker}@%'")):
                    return
            time.sleep(0.2)
    raise AssertionError(system.log(worker))


async def test_sixty_four_jobs_in_flight_from_asyncio(system: System, photo: Photo) -> None:
    await asyncio.to_thread(system.start, "detect", "ocr", "write")
    async with AsyncSightline(system.settings) as client:

        async def submit_and_wait(number: int) -> str:
            job = await client.submit(photo(f"MQX {8000 + number}", number % 4))
            return "".join(reading.text for reading in (await job.wait(timeout_s=90)).readings).replace(" ", "")

        texts = await asyncio.gather(*(submit_and_wait(number) for number in range(64)))
    assert sum(text == f"MQX{8000 + number}" for number, text in enumerate(texts)) >= 60


def test_any_celery_app_can_submit_by_name(system: System, photo: Photo) -> None:
    """As `docs/reference/wire.md` tells it: pixels into the frame store, then one message by task name."""
    settings = system.settings.model_copy(update={"frames_url": system.settings.redis_url})
    system.settings = settings
    system.start("detect", "ocr", "write")
    frame_id, job_id = new_id(), new_id()
    redis.Redis.from_url(settings.redis_url).set(f"sightline:frame:{frame_id}", photo("TRN 5164", 2), ex=3600)
    frame = {"frame_id": frame_id, "source_id": "legacy", "captured_at": datetime.now(UTC).isoformat()}
    message = {"v": 1, "job": {"job_id": job_id, "pipeline": "plates", "frames": [frame]}}
    app = Celery("somebody", broker=settings.redis_url)
    app.send_task("sightline.detect", kwargs={"message": message}, queue="gpu.detect", task_id=job_id)
    with Sightline(settings) as client:
        assert [reading.text.replace(" ", "") for reading in client.wait(job_id, 30).readings] == ["TRN5164"]
        system.wait_until_quiet()
        assert client.publisher.ledger.counts() == {"legacy": {"published": 1, "stored": 1}}


def test_bad_input_ends_in_the_dead_letters_and_the_system_goes_on(system: System, photo: Photo) -> None:
    system.start("detect", "ocr", "write")

    def job_of(pipeline: Pipeline = Pipeline.PLATES) -> Job:
        frame = FrameRef(frame_id=new_id(), source_id="bad", captured_at=datetime.now(UTC))
        return Job(job_id=new_id(), pipeline=pipeline, lane=Lane.INTERACTIVE, frames=(frame,))

    whole = photo("KAB 4721", 1)
    with Sightline(system.settings) as client:
        inputs = {
            "bad_image": (job_of(), b"this is no picture"),
            "truncated": (job_of(), whole[: len(whole) // 2]),
            "model_unavailable": (job_of(Pipeline.OBJECTS), whole),
        }
        for job, data in inputs.values():
            client.publisher.publish(job, {job.frames[0].frame_id: data})
        missing = job_of()
        client.publisher.publish(missing, {missing.frames[0].frame_id: whole})
        client.publisher.frames.delete_bundles({frames_name(missing.job_id): []})
        results = {name: client.wait(job.job_id, 30) for name, (job, _) in inputs.items()}
        stale = job_of().model_copy(update={"deadline_at": time.time() - 1})
        client.publisher.publish(stale, {stale.frames[0].frame_id: whole})
        assert client.wait(stale.job_id, 30).status is JobStatus.DROPPED
        Celery("x", broker=system.settings.redis_url).send_task(
            "sightline.detect", args=["nonsense"], queue="gpu.detect"
        )
        assert client.submit(whole).wait(30).status is JobStatus.STORED
        system.wait_until_quiet()
        counts = client.publisher.ledger.counts()["bad"]
    assert {name: result.errors[0].reason for name, result in results.items()} == {
        "bad_image": "bad_image",
        "truncated": "bad_image",
        "model_unavailable": "model_unavailable",
    }
    assert "yolox-s" in results["model_unavailable"].errors[0].message
    assert counts["published"] == counts["dead"] + counts["dropped:stale"] + counts.get("stored", 0) == 5
    with system.database() as database, database.read() as connection:
        reasons = Counter(reason for (reason,) in connection.execute(sa.text("SELECT reason FROM dead_letters")))
    assert reasons["bad_message"] == 1
    assert reasons["bad_image"] == 2


def test_a_stopped_worker_gives_back_what_it_held(system: System, photo: Photo) -> None:
    """SIGTERM under load: what it works on is finished or given back, and nothing is run twice for long."""
    system.start("detect1", "detect2", "ocr", "write")
    with Sightline(system.settings) as client:
        sender = threading.Thread(
            target=lambda: [client.submit(photo(f"DWE {2000 + n}", n % 3), lane="bulk") for n in range(40)]
        )
        sender.start()
        time.sleep(0.5)
        system.workers["detect1"].terminate()
        assert system.workers["detect1"].wait(20) == 0
        sender.join()
        system.wait_until_quiet(60)
        assert client.publisher.ledger.counts()["python"] == {"published": 40, "stored": 40}


def test_an_outage_of_the_frame_store_kills_nothing(system: System, photo: Photo) -> None:
    """Jobs wait, a stopping worker gives them back at once, and all are stored when the store is there again."""
    system.start("detect1", "ocr", "write")
    frames, aside = system.folder / "frames", system.folder / "aside"
    with Sightline(system.settings) as client:
        system.kill("detect1", signal.SIGSTOP)
        jobs = [client.submit(photo(f"KAB {5000 + number}", number)) for number in range(3)]
        frames.rename(aside)
        frames.write_text("no folder")
        system.kill("detect1", signal.SIGCONT)
        until = time.monotonic() + 10
        while "cannot detect job" not in system.log("detect1"):
            assert time.monotonic() < until, system.log("detect1")
            time.sleep(0.1)
        system.workers["detect1"].terminate()
        assert system.workers["detect1"].wait(30) == 0
        frames.unlink()
        aside.rename(frames)
        system.start("detect2")
        assert [job.wait(30).status for job in jobs] == [JobStatus.STORED] * 3
        system.wait_until_quiet()
        assert client.publisher.ledger.counts() == {"python": {"published": 3, "stored": 3}}

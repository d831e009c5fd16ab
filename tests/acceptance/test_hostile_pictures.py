"""Damaged and malicious pictures through the API, and past it to real workers: each ends, the next good one is read.

`make fuzz` does the same with more of them (`FUZZ_UPLOADS`, `FUZZ_SEED`).
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline import JobStatus, Sightline
from sightline.ids import new_id
from sightline.testing import make_picture
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job
from storage.access.keys import create_key
from tests.acceptance.parts.system import System
from tests.fuzz.pictures import pictures

COUNT = int(os.environ.get("FUZZ_UPLOADS", "30"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
WAIT_S = 60


def test_no_picture_stops_a_role(tmp_path: Path, redis_url: str) -> None:
    system = System(tmp_path, redis_url, plates_model="stub", recognizer="stub", max_image_mpx=2)
    try:
        _feed(system)
    finally:
        system.stop()


def _feed(system: System) -> None:
    system.start("detect", "ocr", "write")
    started = dict(system.workers)
    with system.database() as database:
        key = {"X-API-Key": create_key(database, "fuzz", "operator")}
    ends: Counter[str] = Counter()
    with Sightline(system.settings) as client, TestClient(create_app(system.settings), headers=key) as api:
        for number, picture in enumerate(pictures(COUNT, SEED)):
            answer = api.post("/v1/jobs", files=[("files", ("a.jpg", picture.data))], data={"pipeline": "plates"})
            if answer.status_code == 202:
                status = client.wait(answer.json()["job_id"], WAIT_S).status
                ends[f"accepted, {status}"] += 1
            else:
                assert 400 <= answer.status_code < 500, (picture.kind, answer.text)
                assert "'a.jpg'" in answer.json()["detail"], (picture.kind, answer.text)  # names what is wrong
            # As a camera would send it: nobody looked at it before a worker does.
            frame = FrameRef(frame_id=new_id(), source_id="unchecked", captured_at=datetime.now(UTC))
            job = Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=Lane.INTERACTIVE, frames=(frame,))
            client.publisher.publish(job, {frame.frame_id: picture.data})
            past = client.wait(job.job_id, WAIT_S)
            assert past.status in (JobStatus.STORED, JobStatus.DEAD), picture.kind
            ends[f"unchecked, {past.status}"] += 1
            good = client.submit(make_picture("KAB4721"), pipeline="plates", source_id=f"good-{number % 5}").wait(
                WAIT_S
            )
            assert good.frames[0].readings[0].text == "KAB4721", picture.kind
        letters = api.get("/v1/dead-letters?limit=100").json()["items"]
        assert letters
        assert all(letter["reason"] == "bad_image" and len(letter["message"]) > 20 for letter in letters)
        assert api.get("/v1/audit").json()["balanced"]
    assert all(process.poll() is None for process in started.values())  # nobody had to be started again
    print(f"{COUNT} pictures from seed {SEED}: {dict(ends)}")
    assert {end.partition(",")[0] for end in ends} == {"accepted", "unchecked"}

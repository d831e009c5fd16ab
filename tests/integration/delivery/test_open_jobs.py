"""The list of jobs that are open: for whoever must act, and for whoever looks."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from sightline.delivery.publisher import Publisher
from sightline.ids import new_id
from sightline.settings import Settings
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job


def test_open_jobs_are_listed_by_lane_or_the_newest_first(settings: Settings) -> None:
    ids: list[str] = []
    publisher = Publisher.from_settings(settings)
    for number, lane in enumerate([Lane.BULK, Lane.INTERACTIVE, Lane.LIVE, Lane.BULK]):
        frame = FrameRef(frame_id=new_id(), source_id="gate", captured_at=datetime.now(UTC))
        at = time.time() + number
        job = Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=lane, frames=(frame,), published_at=at)
        publisher.publish(job, {frame.frame_id: b"jpeg"})
        time.sleep(0.002)  # each is due later than the one before
        ids.append(job.job_id)
    newest = [job.job_id for job in publisher.ledger.open_jobs(newest_first=True)]
    assert newest == ids[::-1]
    assert [job.job_id for job in publisher.ledger.open_jobs(limit=2, newest_first=True)] == newest[:2]
    assert [job.job_id for job in publisher.ledger.open_jobs()] == [ids[1], ids[2], ids[0], ids[3]]
    publisher.close()

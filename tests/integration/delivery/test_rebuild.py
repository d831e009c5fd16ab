"""Redis forgets everything: what the API accepted is found again in the database, and only that."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
import sqlalchemy as sa

from sightline.blobs.names import frames_name
from sightline.blobs.opening import open_frame_store
from sightline.delivery.publisher import Publisher
from sightline.errors import StoreUnavailableError
from sightline.settings import Settings, load_settings
from sightline.submission.jobs import NewFrame, make_job
from sightline.testing import make_picture
from sightline.types import FrameError, FrameResult, Lane
from sightline.wire.messages import Job, Message
from storage.accounting.ledger_snapshots import lost_frames
from storage.database.engine import Database
from storage.jobs.accepted import Accepted
from storage.retention.erasure import erase_frame, erase_source
from storage.tables import AcceptedJobs
from tests.stores import open_store
from workers.housekeeping.rebuild import Rebuild


@pytest.fixture(params=["redis", "folder"])
def settings(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Settings:
    """Pixels in Redis are lost with it, those in a folder are not."""
    frames_url = redis_url if request.param == "redis" else (tmp_path / "frames").as_uri()
    return load_settings(data_dir=tmp_path, redis_url=redis_url, frames_url=frames_url)


@pytest.fixture
def accepted(database: Database, settings: Settings) -> Accepted:
    return Accepted.from_settings(database, settings)


def submit(settings: Settings, accepted: Accepted, text: str, source_id: str = "gate") -> Job:
    """As the API does."""
    job, pixels = picture(settings, text, source_id)
    Publisher.from_settings(settings, accepted.keep).publish(job, pixels)
    return job


def picture(settings: Settings, text: str, source_id: str, lane: Lane = Lane.BULK) -> tuple[Job, dict[str, bytes]]:
    from datetime import UTC, datetime

    frame = NewFrame(make_picture(text), datetime.now(UTC))
    return make_job([frame], settings, pipeline="plates", lane=lane, source_id=source_id)


def finish(database: Database, publisher: Publisher, job: Job, *, settle: bool = True) -> None:
    """As the writer does."""
    results = tuple(FrameResult(frame=frame) for frame in job.frames)
    (stored,) = open_store(database, passage_gap_s=10).store([Message(job=job, results=results)], set())
    if settle:
        publisher.ledger.settle(job.job_id, stored.counts)


def flush(settings: Settings) -> None:
    with redis.Redis.from_url(settings.redis_url) as client:
        client.flushall()


def test_accepted_jobs_are_published_again_under_their_ids(
    settings: Settings, database: Database, accepted: Accepted
) -> None:
    publisher = Publisher.from_settings(settings)
    rebuild = Rebuild(database, accepted, publisher)
    rebuild.run()
    jobs = [submit(settings, accepted, f"AB{number}") for number in range(3)]
    finish(database, publisher, jobs[0])
    finish(database, publisher, jobs[1], settle=False)  # stored, and Redis is lost before the ledger knows
    rebuild.run()
    assert publisher.queue_depths()["gpu.detect"] == 3  # nothing was published twice
    flush(settings)
    rebuild.run()
    assert [job.job_id for job in publisher.ledger.open_jobs()] == [jobs[2].job_id]
    again = publisher.ledger.open_job(jobs[2].job_id)
    assert again is not None
    assert (again.published_at, again.frames) == (jobs[2].published_at, jobs[2].frames)
    found = publisher.frames.get_bundle(frames_name(jobs[2].job_id), [jobs[2].frames[0].frame_id])
    assert found == [make_picture("AB2")]
    assert publisher.queue_depths()["gpu.detect"] == 1
    rebuild.run()
    assert publisher.queue_depths()["gpu.detect"] == 1


def test_what_was_lost_with_redis_is_told(settings: Settings, database: Database, accepted: Accepted) -> None:
    publisher = Publisher.from_settings(settings)
    rebuild = Rebuild(database, accepted, publisher)
    submit(settings, accepted, "AB1")
    for number in range(3):
        publisher.publish(*picture(settings, f"LV{number}", "lane", Lane.LIVE))  # as a camera does
    rebuild.run()
    flush(settings)
    others = [Rebuild(database, accepted, publisher) for _ in range(2)]  # beside another writer
    for each in (rebuild, *others, rebuild):
        each.run()
    assert lost_frames(database) == {"lane": 3}


def test_a_finished_job_leaves_no_trace(settings: Settings, database: Database, accepted: Accepted) -> None:
    publisher = Publisher.from_settings(settings)
    job = submit(settings, accepted, "AB1")
    assert accepted.is_open(job.job_id)
    assert accepted.forget_finished() == 0
    finish(database, publisher, job)
    assert not accepted.is_open(job.job_id)
    assert accepted.forget_finished() == 1
    assert list(Path(settings.data_dir, "pictures").glob("*/*")) == []
    submit(settings, accepted, "AB1")  # the same request again is answered, not done again
    assert not accepted.is_open(job.job_id)


def test_an_erased_job_leaves_no_trace_and_does_not_come_back(
    settings: Settings, database: Database, accepted: Accepted
) -> None:
    publisher = Publisher.from_settings(settings)
    job = submit(settings, accepted, "AB1")
    finish(database, publisher, job)
    pictures = open_frame_store(settings.picture_store_url, ttl_s=None)
    assert erase_source(database, pictures, "gate") is not None
    assert not accepted.is_open(job.job_id)
    assert noted(database) == []
    assert list(Path(settings.data_dir, "pictures").glob("*/*")) == []
    assert accepted.rebuild(publisher) == {}


def test_a_new_try_of_a_job_whose_last_is_erased_stays_noted(
    settings: Settings, database: Database, accepted: Accepted
) -> None:
    publisher = Publisher.from_settings(settings)
    job = submit(settings, accepted, "AB1")
    died = FrameResult(frame=job.frames[0], error=FrameError(reason="bad_image", message="cut off", stage="detect"))
    (stored,) = open_store(database, passage_gap_s=10).store([Message(job=job, results=(died,))], set())
    publisher.ledger.settle(job.job_id, stored.counts)
    submit(settings, accepted, "AB1")
    pictures = open_frame_store(settings.picture_store_url, ttl_s=None)
    assert erase_frame(database, pictures, job.frames[0].frame_id) is not None
    flush(settings)
    assert accepted.rebuild(publisher) == {"gate": 1}
    found = publisher.frames.get_bundle(frames_name(job.job_id), [job.frames[0].frame_id])
    assert found == [make_picture("AB1")]


def noted(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.scalars(sa.select(AcceptedJobs.job_id)))


def test_a_job_that_is_not_noted_is_not_accepted(
    settings: Settings, database: Database, accepted: Accepted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StoreUnavailableError("refused")

    job, pixels = picture(settings, "AB1", "gate")
    publisher = Publisher.from_settings(settings, refuse)
    with pytest.raises(StoreUnavailableError):
        publisher.publish(job, pixels)
    assert publisher.ledger.open_frames() == {}


def test_a_ledger_without_room_takes_the_rest_later(settings: Settings, database: Database, accepted: Accepted) -> None:
    for number in range(3):
        submit(settings, accepted, f"AB{number}")
    flush(settings)
    small = Publisher.from_settings(settings.model_copy(update={"max_open_frames_per_source": 2}))
    rebuild = Rebuild(database, accepted, small)
    rebuild.run()
    first, second = small.ledger.open_jobs()
    rebuild.run()
    assert len(small.ledger.open_jobs()) == 2
    for job in (first, second):
        finish(database, small, job)
    rebuild.run()
    assert len(small.ledger.open_jobs()) == 1

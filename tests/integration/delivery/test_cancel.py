"""Jobs that are cancelled: each frame is dropped and counted once, wherever it was at that moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from producers.api.app import create_app
from sightline import AsyncSightline, JobCancelledError, JobStatus, Sightline
from sightline.celery.app import create_app as create_celery_app
from sightline.cli import app as cli
from sightline.delivery.sweeper import Sweeper
from sightline.errors import EngineUnavailableError
from sightline.pipelines.queues import DETECT_TASK, OCR_TASK, WRITE_TASK
from sightline.retry import Patience
from sightline.settings import Settings
from sightline.types import FrameError, FrameResult
from sightline.wire.messages import Job, Message
from storage.access.keys import Role, create_key
from storage.database.engine import Database
from tests.integration.api.uploading import jpeg
from tests.integration.stages.running import FakeStage, found, in_process, raising, sent_to
from workers.stages.runner import run_message
from workers.stages.services import Services, open_services
from workers.stages.write import WriteStage

CANCELLED = {"python": {"published": 1, "dropped:cancelled": 1}}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"sweep_interval_s": 3600})  # the tests sweep themselves


@pytest.fixture
def services(settings: Settings) -> Services:
    return open_services(create_celery_app(settings), settings, "test@here", Patience())


@pytest.fixture
def write(services: Services, database: Database) -> Iterator[WriteStage]:
    assert database
    stage = WriteStage(services)
    yield stage
    stage.close()


@pytest.fixture
def sightline(settings: Settings) -> Iterator[Sightline]:
    with Sightline(settings) as client:
        yield client


def sweep(services: Services) -> int:
    return Sweeper(
        services.delivery.ledger, services.delivery.broker, services.frames, interval_s=60, max_attempts=3
    ).sweep()


def run_next(services: Services, task: str, **stages: Any) -> None:
    """Work on the oldest message of a queue, in a worker with these stages."""
    (message,) = sent_to(services, task)
    run_message(stages["all"], task, services, message, redelivered=False)


def test_what_waits_is_dropped_and_counted(services: Services, write: WriteStage, sightline: Sightline) -> None:
    job = sightline.submit(jpeg())
    assert job.cancel()
    assert job.cancel()  # twice does no harm
    assert sweep(services) == 1
    assert sweep(services) == 0
    run_next(services, WRITE_TASK, all={WRITE_TASK: write})
    result = job.wait(1)
    assert (result.status, [frame.dropped for frame in result.frames]) == (JobStatus.DROPPED, ["cancelled"])
    assert services.delivery.ledger.counts() == CANCELLED
    assert services.delivery.ledger.open_frames() == {}
    assert not job.cancel()
    # Its first message is still in the queue: whoever takes it has nothing to do.
    run_next(services, DETECT_TASK, all={DETECT_TASK: raising(AssertionError("not to be run"))})
    assert services.delivery.ledger.counts() == CANCELLED


def test_who_takes_it_first_drops_it(services: Services, write: WriteStage, sightline: Sightline) -> None:
    job = sightline.submit(jpeg())
    job.cancel()
    run_next(
        services,
        DETECT_TASK,
        all={DETECT_TASK: raising(AssertionError("not to be run")), WRITE_TASK: write},
    )
    assert job.wait(1).status is JobStatus.DROPPED
    assert services.delivery.ledger.counts() == CANCELLED


def test_what_is_worked_on_ends_at_its_next_step(
    services: Services, write: WriteStage, sightline: Sightline, caplog: pytest.LogCaptureFixture
) -> None:
    job = sightline.submit(jpeg())
    caplog.set_level("INFO")

    def cancel(_message: Message) -> None:
        job.cancel()
        services.cancellations.look()  # as a worker does each second

    stages = in_process(FakeStage(cancel, found), raising(AssertionError("not to be run")))
    run_next(services, DETECT_TASK, all=stages | {WRITE_TASK: write})
    assert job.wait(1).status is JobStatus.DROPPED
    assert services.delivery.ledger.counts() == CANCELLED
    assert caplog.text.count(f"job {job.job_id} was cancelled") == 1


def test_a_stage_may_end_in_the_middle(services: Services, write: WriteStage, sightline: Sightline) -> None:
    job = sightline.submit(jpeg())

    def work(message: Message) -> None:
        job.cancel()
        services.cancellations.look()
        with pytest.raises(JobCancelledError):
            services.cancellations.check(message.job)
        services.cancellations.check(message.job)

    run_next(services, DETECT_TASK, all={DETECT_TASK: FakeStage(work), WRITE_TASK: write})
    assert job.wait(1).status is JobStatus.DROPPED


def test_what_waits_out_an_outage_ends_then(services: Services, write: WriteStage, sightline: Sightline) -> None:
    """And not when the sweeper comes, much later."""
    job = sightline.submit(jpeg())

    def work(_message: Message) -> None:
        job.cancel()
        raise EngineUnavailableError("the model's server is away")

    run_next(services, DETECT_TASK, all={DETECT_TASK: FakeStage(work), WRITE_TASK: write})
    assert job.wait(1).status is JobStatus.DROPPED
    assert services.delivery.ledger.counts() == CANCELLED


@pytest.mark.parametrize("stored_first", [True, False])
def test_of_a_writer_and_a_cancellation_the_first_decides(
    services: Services, write: WriteStage, sightline: Sightline, stored_first: bool
) -> None:
    """Else there would be rows of frames that are counted as dropped."""
    job = sightline.submit(jpeg())
    done = Message(job=job.job, results=tuple(FrameResult(frame=frame) for frame in job.job.frames)).dump()
    both = [lambda: write_it(services, write, done), lambda: run_next(services, WRITE_TASK, all={WRITE_TASK: write})]
    if stored_first:
        write._store.store([Message.model_validate(done)], frozenset())  # and then its worker dies
    job.cancel()
    sweep(services)
    for one in both if stored_first else reversed(both):
        one()
    expected = "stored" if stored_first else "dropped:cancelled"
    assert services.delivery.ledger.counts() == {"python": {"published": 1, expected: 1}}
    assert job.wait(1).status == (JobStatus.STORED if stored_first else JobStatus.DROPPED)


def write_it(services: Services, write: WriteStage, raw: dict[str, Any]) -> None:
    run_message({WRITE_TASK: write}, WRITE_TASK, services, raw, redelivered=False)


def test_frames_that_died_before_are_dead(services: Services, write: WriteStage, sightline: Sightline) -> None:
    job = sightline.submit(jpeg(1), jpeg(2))
    error = FrameError(reason="bad_image", message="damaged", stage="detect")
    first, second = job.job.frames
    results = (FrameResult(frame=first, error=error), FrameResult(frame=second))
    job.cancel()
    message = Message(job=job.job, results=results).dump()
    stages = {OCR_TASK: raising(AssertionError("not to be run")), WRITE_TASK: write}
    run_message(stages, OCR_TASK, services, message, redelivered=False)
    assert services.delivery.ledger.counts() == {"python": {"published": 2, "dead": 1, "dropped:cancelled": 1}}


def test_the_same_pictures_may_be_submitted_again(services: Services, write: WriteStage, sightline: Sightline) -> None:
    """They are the same job: nothing that was told of the first is left."""
    first = sightline.submit(jpeg())
    first.cancel()
    run_next(services, DETECT_TASK, all={DETECT_TASK: FakeStage(lambda _: None), WRITE_TASK: write})
    services.cancellations.look()
    assert services.cancellations.has(first.job)
    again = sightline.submit(jpeg())
    assert again.job_id == first.job_id
    assert not services.cancellations.has(again.job)
    worked = list[Job]()
    run_next(services, DETECT_TASK, all={DETECT_TASK: FakeStage(lambda message: worked.append(message.job))})
    assert [job.job_id for job in worked] == [again.job_id]


def test_what_was_told_is_forgotten_after_an_hour(services: Services, sightline: Sightline) -> None:
    jobs = [sightline.submit(jpeg(seed)) for seed in (1, 2)]
    told = services.cancellations
    jobs[0].cancel()
    told.look()
    told._clock = lambda: time.time() + 4000
    jobs[1].cancel()
    told.look()
    assert [told.has(job.job) for job in jobs] == [False, True]


def test_over_http_it_needs_an_operator_and_says_how_the_job_ended(
    settings: Settings, client: TestClient, database: Database, services: Services, write: WriteStage
) -> None:
    job_id = client.post("/v1/jobs", files={"files": ("car.jpg", jpeg())}).json()["job_id"]
    viewer = {"X-API-Key": create_key(database, "looks", Role.VIEWER)}
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8080", headers=viewer) as other:
        assert other.post(f"/v1/jobs/{job_id}/cancel").status_code == 403
    assert client.post("/v1/jobs/no-such-job-here/cancel").status_code == 404
    asked = client.post(f"/v1/jobs/{job_id}/cancel")
    assert (asked.status_code, asked.json()["status"]) == (202, "open")
    sweep(services)
    run_next(services, WRITE_TASK, all={WRITE_TASK: write})
    again = client.post(f"/v1/jobs/{job_id}/cancel")
    assert (again.status_code, again.json()["result"]["frames"][0]["dropped"]) == (200, "cancelled")
    assert client.get("/v1/audit").json()["balanced"]


def test_from_the_command_line(
    api_url: str, operator_key: str, settings: Settings, services: Services, write: WriteStage, sightline: Sightline
) -> None:
    cancelled, stored = sightline.submit(jpeg(1)), sightline.submit(jpeg(2))
    cancelled.cancel()
    stages = {DETECT_TASK: FakeStage(lambda _: None), WRITE_TASK: write}
    run_message(stages, DETECT_TASK, services, Message(job=cancelled.job).dump(), redelivered=False)
    results = tuple(FrameResult(frame=frame) for frame in stored.job.frames)
    write_it(services, write, Message(job=stored.job, results=results).dump())
    environment = {"SIGHTLINE_API_URL": api_url, "SIGHTLINE_API_KEY": operator_key}
    ran = CliRunner().invoke(cli, ["cancel", cancelled.job_id], env=environment)
    assert (ran.exit_code, ran.stdout.split()) == (0, ["job", "ended", cancelled.job_id, "cancelled"])
    ran = CliRunner().invoke(cli, ["cancel", stored.job_id, "--json"], env=environment)
    assert ran.exit_code == 1
    assert f'"{stored.job_id}"' in ran.stdout
    assert '"stored"' in ran.stdout


async def test_from_asyncio(settings: Settings) -> None:
    async with AsyncSightline(settings) as client:
        job = await client.submit(jpeg())
        assert await job.cancel()
        assert not await client.cancel("no-such-job-here")

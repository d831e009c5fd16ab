"""A stage that holds its job for long, on a real Redis and a clock of the test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sightline.celery.app import create_app
from sightline.celery.lease import Leases
from sightline.delivery.publisher import Publisher
from sightline.delivery.sweeper import Sweeper
from sightline.errors import SettingsError
from sightline.ids import new_id
from sightline.pipelines import StageSpec
from sightline.retry import Patience
from sightline.settings import load_settings
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job, Message
from tests.installing import write_package
from tests.integration.stages.running import FakeStage
from workers.housekeeping.liveness import Liveness
from workers.stages.context import Context
from workers.stages.runner import run_message
from workers.stages.services import Services, open_services
from workers.stages.step import Step

TASK, QUEUE, MINUTE_S = "sightline.train", "gpu.train", 60
TRAIN = """
from sightline.pipelines import PipelineSpec, StageSpec
from sightline.types import FrameResult, Pipeline
SPEC = PipelineSpec(
    Pipeline("train"),
    accepts=("image",),
    result=FrameResult,
    stages=(StageSpec("train", "gpu.train", "x", held_s=300),),
)
"""


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    monkeypatch.setattr("kombu.transport.redis.time", clock)
    return clock


class HeldMessage:
    """A job of a stage that may be held for five minutes without progress, in the hands of a worker of kombu's."""

    def __init__(self, services: Services, channel: Any, clock: Clock) -> None:
        self.services = services
        self._channel = channel
        self._clock = clock
        self._leases = Leases(services.holds)
        self._sweeper = Sweeper(
            services.delivery.ledger, services.delivery.broker, services.frames, interval_s=60, max_attempts=3
        )
        frame = FrameRef(frame_id=new_id(), source_id="gate", captured_at=datetime.now(UTC))
        self.job = Job(job_id=new_id(), pipeline=Pipeline("train"), lane=Lane.BULK, frames=(frame,))
        Publisher(services.delivery.ledger, services.frames, services.delivery.broker).publish(self.job, {})
        message = channel.basic_get(QUEUE)
        self._request: Any = SimpleNamespace(message=message, id=f"{self.job.job_id}:train")

    def pass_minutes(self, minutes: int, between: Callable[[], None] = lambda: None) -> None:
        """What happens meanwhile: the lease beats, other workers look for what is left behind, the sweeper sweeps."""
        for _ in range(minutes):
            self._clock.now += MINUTE_S
            between()
            if fresh := self._leases.fresh([self._request], is_outage=False):
                self._channel.client.zadd(self._channel.unacked_index_key, fresh, xx=True)
            self._channel.qos._vrestore_count = 0  # kombu looks only now and then
            self._channel.qos.restore_visible(interval=1)
            self._sweeper.sweep()

    def waiting(self) -> int:
        return self.services.delivery.broker.depths()[QUEUE]

    def work(self, work: Callable[[Context], None]) -> None:
        class Training(FakeStage):
            def work(self, step: Step) -> None:
                work(step.context)

        stage = Training(lambda _: None)
        stage.task = TASK
        raw = Message(job=self.job).dump()
        run_message({TASK: stage}, TASK, self.services, raw, redelivered=False, task_id=self._request.id)


@pytest.fixture
def held(redis_url: str, tmp_path: Path, packages: Path, clock: Clock) -> Iterator[HeldMessage]:
    write_package(packages, "our_training", TRAIN, pipelines="train = our_training:SPEC")
    settings = load_settings(redis_url=redis_url, data_dir=tmp_path, visibility_timeout_s=30, job_timeout_s=120)
    app = create_app(settings)
    services = open_services(app, settings, "test@here", Patience())
    with app.connection_for_read() as connection:
        channel = connection.channel()
        yield HeldMessage(services, channel, clock)
        channel.client.close()
    app.close()
    services.delivery.ledger.close()


def test_what_advances_for_half_an_hour_is_worked_on_once(held: HeldMessage) -> None:
    def work(context: Context) -> None:
        steps = iter(range(30))
        held.pass_minutes(30, lambda: context.progress(next(steps)))
        assert held.waiting() == 0

    held.work(work)
    assert held.waiting() == 0


def test_what_goes_round_in_circles_is_given_to_another(held: HeldMessage) -> None:
    def work(context: Context) -> None:
        held.pass_minutes(4, lambda: context.progress(7))
        assert held.waiting() == 0
        held.pass_minutes(3, lambda: context.progress(7))
        assert held.waiting() >= 1

    held.work(work)


def test_a_job_that_ended_elsewhere_is_left(held: HeldMessage) -> None:
    went_on = list[int]()

    def work(context: Context) -> None:
        held.pass_minutes(2, lambda: context.progress(held._clock.now))
        held.services.delivery.ledger.settle(held.job.job_id, {"gate": {"stored": 1}})
        held.pass_minutes(3, lambda: context.progress(held._clock.now))
        went_on.append(1)

    held.work(work)
    assert went_on == []


def test_a_stage_in_the_middle_of_long_work_is_told_that_its_job_was_cancelled(held: HeldMessage) -> None:
    went_on = list[int]()

    def work(context: Context) -> None:
        context.progress(1)
        held.services.delivery.ledger.cancel(held.job.job_id)
        held._clock.now += 1
        held.services.cancellations.look()
        context.progress(2)
        went_on.append(1)

    held.work(work)
    assert went_on == []
    assert held.services.delivery.broker.depths()["db.write"] == 1


def test_who_advances_is_not_stuck_while_messages_wait(held: HeldMessage) -> None:
    ended, holds = list[str](), held.services.holds
    liveness = Liveness(
        held.services.delivery.broker,
        held.services.delivery.patience,
        [QUEUE],
        list,
        model_timeout_s=60,
        stall_timeout_s=0,
        advances=lambda: holds.advances,
        end_process=ended.append,
    )
    Publisher(held.services.delivery.ledger, held.services.frames, held.services.delivery.broker).publish(
        held.job.model_copy(update={"job_id": new_id()}), {}
    )
    liveness.check()
    held.work(lambda context: [context.progress(step) or liveness.check() for step in range(3)] and None)
    assert ended == []
    liveness.check()
    assert "nothing finished" in ended[0]


def test_a_time_without_progress_is_above_nothing() -> None:
    with pytest.raises(SettingsError, match="held_s: 0 given; give seconds above 0"):
        StageSpec("train", "gpu.train", "x", held_s=0)

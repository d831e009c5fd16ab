"""A pipeline that forks and joins, with stages of a test, and the queues between them worked off one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sightline.delivery.publisher import Publisher
from sightline.delivery.sweeper import Sweeper
from sightline.ids import new_id
from sightline.pipelines import registry
from sightline.pipelines.queues import WRITE_TASK
from sightline.types import Detection, FrameRef, FrameResult, Lane, Pipeline, Reading
from sightline.wire.messages import Job, Message, parse_message
from sightline.wire.parts import Part
from tests.integration.stages.running import sent_to
from workers.batching.batcher import Batcher
from workers.stages.payloads import bundles_of
from workers.stages.runner import run_message
from workers.stages.services import Services
from workers.stages.step import Stage, Step

#: look -> read, and hear beside them; answer joins both.
ASK = """
from sightline.pipelines import PipelineSpec, StageSpec
from sightline.types import FrameResult, Pipeline
def stage(name, **more):
    return StageSpec(name, "cpu." + name, "nowhere", **more)
ASK = PipelineSpec(Pipeline("inquire"), ("image",), FrameResult, (
    stage("look"), stage("read"), stage("hear", after=()), stage("answer", after=("read", "hear")),
))
GUESS = PipelineSpec(Pipeline("guess"), ("image",), FrameResult, (
    stage("look"), stage("read"), stage("hear", after=()), stage("guess", after=("read", "hear"), needs="any"),
))
DIAMOND = PipelineSpec(Pipeline("diamond"), ("image",), FrameResult, (
    stage("look"), stage("left", after=("look",)), stage("right", after=("look",)),
))
LONG = PipelineSpec(Pipeline("long"), ("image",), FrameResult, (stage("cut", shards=True),))
LONGER = PipelineSpec(Pipeline("longer"), ("image",), FrameResult, (
    stage("look"), stage("cut-any", shards=True, needs="any"), stage("answer"),
))
"""
POINTS = "\n".join(f"{name.lower()} = our_graphs:{name}" for name in ("ASK", "GUESS", "DIAMOND", "LONG", "LONGER"))


def named(name: str) -> Reading:
    return Reading(text=name, confidence=1.0, detection_index=0)


def box(at: float) -> Detection:
    return Detection(xyxy=(at, 0, at + 8, 4), label="thing", class_id=0, confidence=0.9)


class Finds:
    """A stage that adds one reading, its name, in a box of its own; a test may have it do something first."""

    def __init__(self, name: str, services: Services, first: Callable[[Step], None] = lambda _: None) -> None:
        self.task = f"sightline.{name}"
        self.runners: dict[str, Batcher[Any, Any]] = {}
        self.worked: list[Step] = []
        self._name = name
        self._first = first
        self._services = services

    def work(self, step: Step) -> Step:
        self.worked.append(step)
        self._first(step)
        job = step.message.job
        before = step.message.results or tuple(FrameResult(frame=frame) for frame in job.frames)
        results = tuple(result if result.error else self._with_own(result) for result in before)
        return Step(registry().next_task(job.pipeline, self.task), Message(job=job, results=results))

    def _with_own(self, result: FrameResult) -> FrameResult:
        reading = named(self._name).model_copy(update={"detection_index": len(result.detections)})
        found = (*result.detections, box(10.0 * sum(map(ord, self._name))))
        return result.model_copy(update={"detections": found, "readings": (*result.readings, reading)})

    def close(self) -> None: ...


class Cuts(Finds):
    """A stage that cuts its job into words, finds each turned round, and puts them together in order."""

    def __init__(self, name: str, services: Services, words: Sequence[str], **more: Any) -> None:
        super().__init__(name, services, **more)
        self.words = words
        self.merged: list[Sequence[Part]] = []

    def split(self, step: Step) -> list[bytes]:
        assert step.shard is None
        return [word.encode() for word in self.words]

    def work(self, step: Step) -> Step:
        self.worked.append(step)
        self._first(step)
        assert step.shard is not None
        reading = Reading(text=step.shard.decode()[::-1], confidence=1.0)
        job = step.message.job
        results = tuple(FrameResult(frame=frame, readings=(reading,)) for frame in job.frames)
        return Step(registry().next_task(job.pipeline, self.task), Message(job=job, results=results))

    def merge(self, step: Step, parts: Sequence[Part]) -> Step:
        self.merged.append(parts)
        job = step.message.job
        readings = tuple(reading for part in parts for reading in part.results[0].readings)
        results = tuple(FrameResult(frame=frame, readings=readings) for frame in job.frames)
        return Step(registry().next_task(job.pipeline, self.task), Message(job=job, results=results))


class Writes:
    """Settles as the writer does, and keeps what came."""

    task = WRITE_TASK

    def __init__(self, services: Services) -> None:
        self.runners: dict[str, Batcher[Any, Any]] = {}
        self.came: list[Message] = []
        self._services = services

    def work(self, step: Step) -> None:
        message = step.message
        outcomes: dict[str, dict[str, int]] = {}
        for result in message.results:
            ended = "dead" if result.error else f"dropped:{result.dropped}" if result.dropped else "stored"
            of_source = outcomes.setdefault(result.frame.source_id, {})
            of_source[ended] = of_source.get(ended, 0) + 1
        if self._services.delivery.ledger.settle(message.job.job_id, outcomes):
            self.came.append(message)
        self._services.frames.delete_bundles(bundles_of(message))

    def close(self) -> None: ...

    @property
    def texts(self) -> list[str]:
        """What was read on the one frame of the one job that came."""
        (message,) = self.came
        return [reading.text for reading in message.results[0].readings]


class Workers:
    """A worker for each stage. `work_off` has them work until nothing waits."""

    def __init__(self, services: Services, *stages: Any) -> None:
        self.services = services
        self.write = Writes(services)
        self.stages: Mapping[str, Stage] = {stage.task: stage for stage in (*stages, self.write)}
        self.sent: list[tuple[str, int | None]] = []  #: tasks and shards of the messages taken, in order

    def publish(self, pipeline: str, frames: int = 1) -> Job:
        refs = tuple(
            FrameRef(frame_id=new_id(), source_id="gate", captured_at=datetime.now(UTC)) for _ in range(frames)
        )
        job = Job(job_id=new_id(), pipeline=Pipeline(pipeline), lane=Lane.BULK, frames=refs)
        publisher = Publisher(self.services.delivery.ledger, self.services.frames, self.services.delivery.broker)
        publisher.publish(job, {frame.frame_id: b"pixels" for frame in refs})
        return job

    def work_off(self) -> None:
        while any(self.take(task) for task in self.stages):
            pass

    def take(self, task: str, *, redelivered: bool = False) -> int:
        """Work on what waits for one stage. Returns how many messages that was."""
        messages = sent_to(self.services, task)
        for raw in messages:
            self.run(task, raw, redelivered=redelivered)
        return len(messages)

    def run(self, task: str, raw: Any, *, redelivered: bool = False) -> None:
        self.sent.append((task.rpartition(".")[2], parse_message(raw).shard))
        own = {task: self.stages[task]}
        run_message(own, task, self.services, raw, redelivered=redelivered)

    def sweep(self, job: Job) -> int:
        """As if nobody had heard of the job for long."""
        delivery = self.services.delivery
        delivery.ledger._redis.zadd(f"sightline:due:{job.lane}:{job.pipeline}", {job.job_id: 0}, xx=True)
        attempts = self.services.settings.max_attempts
        sweeper = Sweeper(delivery.ledger, delivery.broker, self.services.frames, interval_s=60, max_attempts=attempts)
        return sweeper.sweep()

    def left(self) -> list[str]:
        """What is still there of any job: keys in the ledger and blobs in the frame store."""
        client = self.services.delivery.ledger._redis
        keys: Any = client.keys("sightline:*")
        ends = ("sightline:counts", "sightline:done", "sightline:result", "sightline:cancelled")
        return sorted(key for key in keys if not key.startswith(ends))

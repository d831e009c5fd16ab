"""The queues on paper, with simpy: what latency and which utilization come of a load on so many workers and cores.

A message goes through the stages of its pipeline, such as publish -> detect -> ocr -> write. A worker holds several
messages; what their model has to do it does in batches, one call after the other, and each call takes all that waits,
as `workers.batching.batcher` does. Whatever needs CPU time takes its turn on the cores, which all roles share, in
slices, as an operating system deals them out.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sightline.capacity.costs import Role, ServiceTimes
from sightline.capacity.parts import Cores, Job, Queue, Steps, Worker
from sightline.capacity.route import Route
from sightline.wire.messages import MAX_FRAMES_PER_JOB

_LOOK_MS = 1000.0  #: how often a hopeless backlog is looked for


@dataclass(frozen=True)
class Plan:
    """What is simulated."""

    times: ServiceTimes
    workers: Mapping[str, int]  #: processes by role
    cores: int
    tick_ms: float = 100.0  #: of the camera process


class Arrivals(Protocol):
    """Frames that come whether anybody is ready or not, such as those of `Cameras`. Times are since the start."""

    @property
    def frames_per_s(self) -> float: ...

    def next_after(self, now_s: float) -> float: ...

    def take(self, now_s: float) -> int: ...


@dataclass(frozen=True)
class Backlog:
    """A load that never ends: a bundle is published whenever fewer frames than `most_open` are open."""

    bundle: int
    most_open: int


@dataclass(frozen=True)
class Outcome:
    """Of the time after the warm-up. Latency is from publishing to the stored row, each frame counted."""

    frames_per_s: float  #: stored
    mean_ms: float
    p50_ms: float
    p95_ms: float  #: infinite where the backlog grew without end
    utilization: Mapping[str, float]  #: 0..1 by role, and of the `cores`
    overwritten: float  #: share of the cameras' frames that a newer one replaced before it was published

    @property
    def saturates_first(self) -> str:
        return max(self.utilization, key=lambda name: self.utilization[name])


def simulate(
    plan: Plan,
    load: Arrivals | Backlog,
    *,
    seconds: float = 20.0,
    warm_up_s: float = 3.0,
    hopeless_ms: float = math.inf,
    seed: int = 1,
) -> Outcome:
    """Run the plan under a load. The same seed gives the same outcome.

    A job that has been open for `hopeless_ms` ends the run: what follows can only be worse.
    """
    return _Run(plan, load, warm_up_s * 1000, seed).outcome(seconds * 1000, hopeless_ms)


class _Run:
    def __init__(self, plan: Plan, load: Arrivals | Backlog, warm_up_ms: float, seed: int) -> None:
        import simpy

        self.env: Any = simpy.Environment()
        self.times = plan.times
        self.cores = Cores(self.env, plan.cores)
        self._plan, self._load, self._warm_up_ms = plan, load, warm_up_ms
        self._chance = random.Random(seed)  # noqa: S311 - not a secret
        self._route = Route(plan.times.pipeline)
        self.queues = {role: Queue(self.env, self._chance) for role in self._route.roles}
        on_crops = self._route.on_crops
        self._workers = {
            role: [
                Worker(self.env, self.cores, queue, role, plan.times, self.pass_on, on_crops=role in on_crops)
                for _ in range(plan.workers[role])
            ]
            for role, queue in self.queues.items()
        }
        self._open: dict[Job, None] = {}
        self._open_frames = 0
        self._stored: list[tuple[float, int]] = []  # latency and frames of each job
        self._taken = 0
        self._settled = self.env.event()

    def outcome(self, length_ms: float, hopeless_ms: float) -> Outcome:
        load = self._load
        source = self._publish(load) if isinstance(load, Backlog) else self._gather(load)
        self.env.process(source)
        end = self.env.timeout(self._warm_up_ms + length_ms)
        self.env.run(self._warm_up_ms)
        before = self._busy_ms()
        self._stored.clear()
        self._taken = 0
        hopeless = self.env.process(self._hopeless(hopeless_ms))
        self.env.run(self.env.any_of([end, hopeless]))
        spent_ms = max(1e-9, self.env.now - self._warm_up_ms)
        busy = {name: (ms - before[name]) / spent_ms / self._count(name) for name, ms in self._busy_ms().items()}
        # What is still open and already late is late, however late it will be.
        latencies = sorted([*self._stored, *((self.env.now - job.published_at, job.frames) for job in self._open)])
        is_hopeless = not end.processed
        return Outcome(
            frames_per_s=sum(frames for _, frames in self._stored) / spent_ms * 1000,
            mean_ms=math.inf if is_hopeless else _mean(latencies),
            p50_ms=math.inf if is_hopeless else quantile(latencies, 0.50),
            p95_ms=math.inf if is_hopeless else quantile(latencies, 0.95),
            utilization=busy,
            overwritten=self._overwritten(spent_ms),
        )

    def pass_on(self, job: Job, role: Role) -> None:
        """Hand a job to whom it goes next."""
        if role == self._route.roles[-1]:
            self.env.process(self._end(job))
            return
        for following in self._route.after(job, role):
            self.queues[following].put(job)

    def _end(self, job: Job) -> Steps:
        yield self.env.timeout(self.times.delay_ms)
        del self._open[job]
        self._open_frames -= job.frames
        self._stored.append((self.env.now - job.published_at, job.frames))
        settled, self._settled = self._settled, self.env.event()
        settled.succeed()

    def _gather(self, cameras: Arrivals) -> Steps:
        """As the camera process does: whenever a frame waits, at most once a tick."""
        while True:
            began_at = self.env.now
            frames = cameras.take(began_at / 1000)
            if not frames:
                yield self.env.timeout(max(1e-3, cameras.next_after(began_at / 1000) * 1000 - began_at))
                continue
            self._taken += frames
            for size in chunks(frames):
                yield from self._publish_one(size)
            yield self.env.timeout(max(0.0, began_at + self._plan.tick_ms - self.env.now))

    def _publish(self, load: Backlog) -> Steps:
        while True:
            if self._open_frames < load.most_open:
                yield from self._publish_one(load.bundle)
            else:
                yield self._settled

    def _publish_one(self, frames: int) -> Steps:
        whole, rest = divmod(self.times.crops_per_frame, 1)
        crops = sum(int(whole) + (self._chance.random() < rest) for _ in range(frames))
        job = Job(frames, crops, self.env.now)
        self._open[job] = None
        self._open_frames += frames
        self.env.process(self.cores.work(self.times.redis.ms(frames)))
        yield from self.cores.work(self.times.publish.ms(frames))
        for role in self._route.first():
            self.queues[role].put(job)

    def _hopeless(self, after_ms: float) -> Steps:
        while True:
            yield self.env.timeout(_LOOK_MS)
            oldest = next(iter(self._open), None)
            if oldest is not None and self.env.now - oldest.published_at > after_ms:
                return

    def _busy_ms(self) -> dict[str, float]:
        roles = {role: sum(worker.busy_ms() for worker in workers) for role, workers in self._workers.items()}
        return roles | {"cores": self.cores.busy_ms}

    def _count(self, name: str) -> int:
        return self._plan.cores if name == "cores" else self._plan.workers[name]

    def _overwritten(self, spent_ms: float) -> float:
        if isinstance(self._load, Backlog):
            return 0.0
        return max(0.0, 1 - self._taken / (self._load.frames_per_s * spent_ms / 1000))


def chunks(frames: int) -> Iterator[int]:
    while frames > 0:
        yield min(frames, MAX_FRAMES_PER_JOB)
        frames -= MAX_FRAMES_PER_JOB


def _mean(latencies: list[tuple[float, int]]) -> float:
    count = sum(frames for _, frames in latencies)
    return sum(latency * frames for latency, frames in latencies) / count if count else math.inf


def quantile(latencies: list[tuple[float, int]], share: float) -> float:
    """Of sorted latencies, each counted for its frames; infinite where there are none."""
    left = share * sum(frames for _, frames in latencies)
    for latency, frames in latencies:
        left -= frames
        if left <= 1e-9:
            return latency
    return math.inf

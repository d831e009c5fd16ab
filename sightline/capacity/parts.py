"""What the simulation is made of: jobs, cores, queues and worker processes."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from sightline.capacity.costs import Role, ServiceTimes

_SLICE_MS = 5.0  #: of a core, before it is another's turn

Steps = Generator[Any, Any, None]


@dataclass(eq=False)
class Job:
    frames: int
    crops: int
    published_at: float
    arrived: set[str] = field(default_factory=set[str])  #: chains of its pipeline, where that forks


class Cores:
    """Shared by all, in turn. Counts how long they worked. (`simpy.Resource` would do, with thrice the events.)"""

    def __init__(self, env: Any, count: int) -> None:
        self._env, self._idle = env, count
        self._line: deque[Any] = deque()
        self.busy_ms = 0.0

    def work(self, ms: float) -> Steps:
        if ms <= 0:
            return
        if self._idle:
            self._idle -= 1
        else:
            yield self._wait()
        while True:
            part = min(ms, _SLICE_MS)
            yield self._env.timeout(part)
            self.busy_ms += part
            ms -= part
            if ms <= 1e-9:
                break
            if self._line:
                turn = self._wait()
                self._line.popleft().succeed()
                yield turn
        if self._line:
            self._line.popleft().succeed()
        else:
            self._idle += 1

    def _wait(self) -> Any:
        turn = self._env.event()
        self._line.append(turn)
        return turn


class Queue:
    """Messages of a role. Of the workers that wait any may get the next: which of them asked last is chance."""

    def __init__(self, env: Any, chance: random.Random) -> None:
        self._env, self._chance = env, chance
        self._jobs: deque[Job] = deque()
        self._asked: list[Any] = []

    def put(self, job: Job) -> None:
        if self._asked:
            self._asked.pop(self._chance.randrange(len(self._asked))).succeed(job)
        else:
            self._jobs.append(job)

    def get(self) -> Any:
        asked = self._env.event()
        if self._jobs:
            return asked.succeed(self._jobs.popleft())
        self._asked.append(asked)
        return asked


class Worker:
    """One process of a role. What it is done with it gives to `pass_on`."""

    def __init__(
        self,
        env: Any,
        cores: Cores,
        queue: Queue,
        role: Role,
        times: ServiceTimes,
        pass_on: Callable[[Job, Role], None],
        *,
        on_crops: bool = False,
    ) -> None:
        import simpy

        self._env, self._cores, self._queue = env, cores, queue
        self._role: Role = role
        self._pass_on, self._on_crops = pass_on, on_crops
        self._times = times.roles[role]
        self._concurrency = self._times.concurrency or times.concurrency
        self._max_batch_size = times.max_batch_size
        self._slots = simpy.Resource(env, self._concurrency)
        self._serial = simpy.Resource(env, 1)
        self._waiting: deque[list[Any]] = deque()  # images that are left, and the event of their end
        self._wake = self._env.event()
        self.serial_ms = self.model_ms = self.threads_ms = 0.0
        self._env.process(self._pull())
        self._env.process(self._call_model())

    def busy_ms(self) -> float:
        """Of the busiest part that cannot be had twice, waits for a core left out."""
        return max(self.serial_ms, self.model_ms, self.threads_ms / self._concurrency)

    def _pull(self) -> Steps:
        """One message after the other, while a slot is free. Workers that wait get them in turn."""
        while True:
            slot = self._slots.request()
            yield slot
            job = yield self._queue.get()
            self._env.process(self._work(job, slot))

    def _work(self, job: Job, slot: Any) -> Steps:
        images = job.crops if self._on_crops else job.frames
        fixed_ms, frames_ms = self._times.message_ms, self._times.frame_ms * images
        if self._times.model is None:
            fixed_ms, frames_ms = fixed_ms + frames_ms, 0.0
        if fixed_ms:
            with self._serial.request() as turn:  # Python: one thread of a process at a time
                yield turn
                yield from self._cores.work(fixed_ms)
                self.serial_ms += fixed_ms
        yield from self._cores.work(frames_ms)  # pixels: threads side by side
        self.threads_ms += frames_ms
        if self._times.model is not None and images:
            done = self._env.event()
            self._waiting.append([images, done])
            if not self._wake.triggered:
                self._wake.succeed()
            yield done
        self._slots.release(slot)
        self._pass_on(job, self._role)

    def _call_model(self) -> Steps:
        """Batch because busy: the moment it is free it takes all that waits."""
        model = self._times.model
        while model is not None:
            if not self._waiting:
                self._wake = self._env.event()
                yield self._wake
            images, finished = self._take()
            wall_ms, cpu_ms = model.wall_ms(images), model.cpu_ms(images)
            threads = max(1, math.ceil(cpu_ms / wall_ms - 0.1)) if wall_ms else 1
            began_at = self._env.now
            others = [self._env.process(self._cores.work(cpu_ms / threads)) for _ in range(threads - 1)]
            yield from self._cores.work(cpu_ms / threads)
            if others:
                yield self._env.all_of(others)
            if (rest_ms := began_at + wall_ms - self._env.now) > 0:
                yield self._env.timeout(rest_ms)
            self.model_ms += max(wall_ms, cpu_ms / threads)
            for event in finished:
                event.succeed()

    def _take(self) -> tuple[int, list[Any]]:
        room, finished = self._max_batch_size, []
        taken = 0
        while self._waiting and taken < room:
            entry = self._waiting[0]
            part = min(entry[0], room - taken)
            entry[0] -= part
            taken += part
            if not entry[0]:
                finished.append(self._waiting.popleft()[1])
        return taken, finished

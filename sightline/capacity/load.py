"""Loads on a real system: one job at a time, more than it can do, or cameras. The simulation has the same."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

from sightline.capacity.cameras import Cameras
from sightline.capacity.meter import Meter
from sightline.capacity.simulation import Backlog, chunks, quantile
from sightline.capacity.system import System
from sightline.delivery.result_board import ResultBoard
from sightline.errors import StoreUnavailableError
from sightline.redis.connection import connect
from sightline.wire.messages import Job

_WAIT_S = 60.0
_WAITERS = 24
_PAUSE_S = 0.01


@dataclass(frozen=True)
class Loaded:
    """What was measured. CPU times are of a frame, by process; `publish` is the publishing alone."""

    frames: int
    frames_per_s: float
    cpu_ms: dict[str, float]
    latency_ms: float  #: median of lone jobs, else the 95th percentile; 0 where it was not taken
    others_cores: float = 0.0  #: busy with processes that are none of the system


class Loader:
    """Publishes the pictures in turn; knows how long jobs took from publishing to the stored row."""

    def __init__(self, system: System, pictures: Sequence[bytes]) -> None:
        self._system, self._pictures = system, pictures
        self._redis = connect(system.settings.redis_url)
        self._board = ResultBoard(self._redis, result_ttl_s=system.settings.result_ttl_s)
        self._published = 0
        self._publish_s = 0.0

    def close(self) -> None:
        self._redis.close()

    def lone(self, frames: int, seconds: float) -> Loaded:
        """Jobs of so many frames, the next when the one before is stored. CPU times are of such a job."""
        self._latency_ms(self._publish(frames))
        meter, latencies = self._meter(), list[float]()
        until = time.monotonic() + seconds
        while time.monotonic() < until or len(latencies) < 2:
            latencies.append(self._latency_ms(self._publish(frames)))
        self._system.wait()
        count = len(latencies)
        speed = count * frames / meter.wall_s()
        return Loaded(count * frames, speed, self._cpu_ms(meter.cpu_ms(count), count), median(latencies))

    def saturate(self, backlog: Backlog, warm_up_s: float, seconds: float) -> Loaded:
        """There is always something to do. Empties the queues afterwards."""
        self._keep_busy(backlog, warm_up_s)
        meter, before = self._meter(), self._stored()
        self._keep_busy(backlog, seconds)
        frames, wall_s = max(1, self._stored() - before), meter.wall_s()
        cpu_ms, others = self._cpu_ms(meter.cpu_ms(frames), frames), meter.others_cores()
        self._system.wait()
        return Loaded(frames, frames / wall_s, cpu_ms, 0.0, others)

    def watch(self, cameras: Cameras, tick_ms: float, warm_up_s: float, seconds: float) -> Loaded:
        """Cameras, gathered as the camera process does it."""
        found: list[tuple[float, Future[float], int]] = []
        began_at = time.monotonic()
        meter = self._meter()
        with ThreadPoolExecutor(_WAITERS) as waiters:
            while (now_s := time.monotonic() - began_at) < warm_up_s + seconds:
                frames = cameras.take(now_s)
                if not frames:
                    time.sleep(max(1e-3, cameras.next_after(now_s) - now_s))
                    continue
                for size in chunks(frames):
                    job = self._publish(size)
                    found.append((now_s, waiters.submit(self._latency_ms, job), size))
                time.sleep(max(0.0, began_at + now_s + tick_ms / 1000 - time.monotonic()))
            wall_s = meter.wall_s()
            counted = sorted((late.result(), size) for at_s, late, size in found if at_s >= warm_up_s)
        frames = sum(size for _, _, size in found)
        return Loaded(frames, frames / wall_s, {}, quantile(counted, 0.95))

    def _keep_busy(self, backlog: Backlog, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            open_frames = self._system.open_frames()
            while open_frames < backlog.most_open and time.monotonic() < until:
                self._publish(backlog.bundle)
                open_frames += backlog.bundle
            self._system.check()
            time.sleep(_PAUSE_S)

    def _publish(self, frames: int) -> Job:
        began_s = time.thread_time()
        job = self._system.publish(self._pictures, self._published, frames)
        self._publish_s += time.thread_time() - began_s
        self._published += frames
        return job

    def _latency_ms(self, job: Job) -> float:
        """A result is posted after the commit of its rows."""
        result = self._board.wait(job.job_id, _WAIT_S)
        if result is None or result.errors:
            why = result.errors[0].message if result else f"no result after {_WAIT_S:.0f} s"
            raise StoreUnavailableError(f"job {job.job_id} was not stored: {why}\n{self._system.log()}")
        return (time.time() - job.published_at) * 1000

    def _meter(self) -> Meter:
        self._publish_s = 0.0
        return self._system.meter()

    def _cpu_ms(self, cpu_ms: dict[str, float], count: int) -> dict[str, float]:
        return cpu_ms | {"publish": self._publish_s * 1000 / count}

    def _stored(self) -> int:
        counts = self._system.publisher.ledger.counts().values()
        return sum(each.get("stored", 0) + each.get("repeated", 0) for each in counts)

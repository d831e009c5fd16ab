"""Live and bulk load on a running system, and what became of it."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

from benchmarks.throughput.system import System
from sightline.delivery.result_board import ResultBoard
from sightline.ids import new_id
from sightline.redis.connection import connect
from sightline.testing import make_picture
from sightline.types import FrameRef, JobStatus, Lane, Pipeline
from sightline.wire.messages import Job

BULK, LIVE = "import", "camera"
#: Small and without a plate, so that two cores are not the limit.
PICTURE = make_picture("", width=80, height=80)
_CAMERAS = 8
_WAIT_S = 60.0
_SEED = 1


class Load:
    """Publishes to one system. Pipeline `objects`: detect, then write."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._board = ResultBoard(connect(system.settings.redis_url), result_ttl_s=60)

    def publish(self, lane: Lane, source_id: str, frames: int = 1) -> Job:
        now = datetime.now(UTC)
        refs = tuple(FrameRef(frame_id=new_id(), source_id=source_id, captured_at=now, seq=n) for n in range(frames))
        job = Job(job_id=new_id(), pipeline=Pipeline.OBJECTS, lane=lane, frames=refs)
        self.system.publisher.publish(job, {ref.frame_id: PICTURE for ref in refs})
        return job

    def live_ms(self, per_s: float, seconds: float) -> list[float]:
        """Milliseconds from published to stored of live frames of cameras that know nothing of each other.

        So many a second on average, as a Poisson process; each call repeats the same times.
        """
        waits: list[Future[float]] = []
        chance, due_at = random.Random(_SEED), time.monotonic()
        with ThreadPoolExecutor(32) as pool:
            for number in range(round(per_s * seconds)):
                due_at += chance.expovariate(per_s)
                time.sleep(max(0.0, due_at - time.monotonic()))
                job = self.publish(Lane.LIVE, f"{LIVE}{number % _CAMERAS}")
                waits.append(pool.submit(self._stored_ms, job))
            return [wait.result() for wait in waits]

    @contextmanager
    def live_without_end(self, jobs: int) -> Iterator[None]:
        """Keep so many live frames waiting: more than the system can do."""
        stop = threading.Event()

        def keep() -> None:
            while not stop.is_set():
                open_live = sum(n for source, n in self.open_frames().items() if source.startswith(LIVE))
                for number in range(max(0, jobs - open_live)):
                    self.publish(Lane.LIVE, f"{LIVE}{number % _CAMERAS}")
                time.sleep(0.005)

        thread = threading.Thread(target=keep, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def fill_bulk(self, jobs: int, frames: int) -> None:
        """Publish bulk while no detector runs, so that all of it waits."""
        running = self.system.processes.items()
        detectors = [process for name, process in running if name.startswith(("detect", "worker"))]
        for process in detectors:
            process.send_signal(signal.SIGSTOP)
        for _ in range(jobs):
            self.publish(Lane.BULK, BULK, frames)
        for process in detectors:
            process.send_signal(signal.SIGCONT)

    def stored(self) -> dict[str, int]:
        """Frames stored so far, of bulk and of live."""
        counts = self.system.publisher.ledger.counts()
        stored = {source_id: outcomes.get("stored", 0) for source_id, outcomes in counts.items()}
        live = sum(frames for source_id, frames in stored.items() if source_id.startswith(LIVE))
        return {BULK: stored.get(BULK, 0), LIVE: live}

    def open_frames(self) -> dict[str, int]:
        return self.system.publisher.ledger.open_frames()

    def _stored_ms(self, job: Job) -> float:
        result = self._board.wait(job.job_id, _WAIT_S)
        stored_at = time.time()
        if result is None or result.status is not JobStatus.STORED:
            raise RuntimeError(f"live job {job.job_id}: {result and result.status}, expected 'stored'")
        return (stored_at - job.published_at) * 1000


class Window:
    """Frames a second from its making to `rates`."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._before = load.stored()
        self._began_at = time.monotonic()

    def rates(self) -> dict[str, float]:
        seconds, now = time.monotonic() - self._began_at, self._load.stored()
        return {name: (now[name] - self._before[name]) / seconds for name in now}

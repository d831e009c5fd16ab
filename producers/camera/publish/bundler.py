"""The newest frames of all live cameras travel together: one message per tick and pipeline instead of one per frame."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from producers.camera.publish.slots import EncodedFrame, LiveSlot, Publishes
from sightline.errors import RetryableError
from sightline.ids import new_id
from sightline.redaction import redact_text
from sightline.types import Lane, Pipeline
from sightline.wire.messages import MAX_FRAMES_PER_JOB, Job

log = logging.getLogger(__name__)

Waiting = tuple[LiveSlot, EncodedFrame]


class LiveBundler:
    """Empties the slots of the live cameras. What cannot be published now is dropped, counted and forgotten."""

    def __init__(
        self,
        publisher: Publishes,
        slots: Callable[[], Iterable[LiveSlot]],
        wake: threading.Event,
        *,
        tick_ms: float,
        deadline_s: float,
        holds: Callable[[str], bool] = lambda _camera_id: True,
    ) -> None:
        """`holds`: whether this process may publish what the camera gives; another one may have taken it over."""
        self._publisher = publisher
        self._slots = slots
        self._wake = wake
        self._tick_s = tick_ms / 1000
        self._deadline_s = deadline_s
        self._holds = holds
        self._trouble: str | None = None

    def run(self, stop: threading.Event) -> None:
        """Publish whenever a frame waits, at most once a tick, until `stop`."""
        while not stop.is_set():
            if not self._wake.wait(timeout=0.5):
                continue
            self._wake.clear()
            started = time.monotonic()
            self.publish_waiting()
            stop.wait(max(0.0, started + self._tick_s - time.monotonic()))

    def publish_waiting(self) -> None:
        """Publish the frames that wait in the slots: one job per pipeline, more only beyond 64 frames."""
        for pipeline, waiting in self._take().items():
            for first in range(0, len(waiting), MAX_FRAMES_PER_JOB):
                self._publish(pipeline, waiting[first : first + MAX_FRAMES_PER_JOB])

    def _take(self) -> dict[Pipeline, list[Waiting]]:
        by_pipeline: dict[Pipeline, list[Waiting]] = defaultdict(list)
        oldest = time.time() - self._deadline_s
        for slot in self._slots():
            frame = slot.take()
            if frame is None:
                continue
            if frame.ref.captured_at.timestamp() < oldest:  # the publish before this one hung
                slot.counters.count_dropped("stale")
                continue
            if not self._holds(frame.ref.source_id):
                slot.counters.count_dropped("broker_unavailable")  # or the lease would have been renewed
                continue
            by_pipeline[slot.pipeline].append((slot, frame))
        return by_pipeline

    def _publish(self, pipeline: Pipeline, bundle: Sequence[Waiting]) -> None:
        frames = tuple(frame.ref for _, frame in bundle)
        job = Job(
            job_id=new_id(),
            pipeline=pipeline,
            lane=Lane.LIVE,
            frames=frames,
            deadline_at=min(ref.captured_at for ref in frames).timestamp() + self._deadline_s,
        )
        try:
            refused = self._publisher.publish(job, {frame.ref.frame_id: frame.jpeg for _, frame in bundle})
        except RetryableError as error:
            reason = "backlog" if error.reason == "backlog_full" else error.reason
            for slot, _ in bundle:
                slot.counters.count_dropped(reason)
            self._note_trouble(reason, str(error))
            return
        self._note_trouble(None, "")
        refused_ids = {ref.frame_id for ref in refused}
        for slot, frame in bundle:
            if frame.ref.frame_id in refused_ids:
                slot.counters.count_dropped("backlog")
            else:
                slot.counters.count_published()

    def _note_trouble(self, reason: str | None, message: str) -> None:
        """One line when publishing starts to fail, one when it works again."""
        if reason == self._trouble:
            return
        if reason is None:
            log.info("live frames are published again")
        else:
            log.warning("live frames are dropped: %s", redact_text(message))
        self._trouble = reason

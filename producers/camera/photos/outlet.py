"""Photos on their way to the workers: each is a job of its own and waits until it is accepted."""

from __future__ import annotations

import logging
import threading

from producers.camera.counters import CameraCounters
from producers.camera.publish.slots import EncodedFrame, Publishes
from sightline.errors import RetryableError
from sightline.ids import content_id
from sightline.redaction import redact_text
from sightline.types import Lane, Pipeline
from sightline.wire.messages import Job

log = logging.getLogger(__name__)

_FIRST_WAIT_S, _MOST_WAIT_S = 0.1, 5.0


class PhotoOutlet:
    """No photo is dropped: while Redis or the backlog says no, the watcher waits and its files lie where they are."""

    def __init__(self, pipeline: Pipeline, lane: Lane, publisher: Publishes, counters: CameraCounters) -> None:
        self._pipeline = pipeline
        self._lane = lane
        self._publisher = publisher
        self._counters = counters
        self._stop = threading.Event()

    def publish(self, frame: EncodedFrame) -> bool:
        """Whether it was accepted; False: stopped meanwhile."""
        job = Job(
            job_id=content_id("photo", frame.ref.frame_id),
            pipeline=self._pipeline,
            lane=self._lane,
            frames=(frame.ref,),
        )
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            try:
                refused = self._publisher.publish(job, {frame.ref.frame_id: frame.jpeg})
            except RetryableError as error:
                if not wait_s:
                    message = redact_text(str(error))
                    log.info("camera %s waits: %s", frame.ref.source_id, message)
                    self._counters.note_error(message)
                wait_s = min(max(2 * wait_s, error.retry_after_s), _MOST_WAIT_S)
                continue
            if not refused:
                self._counters.count_published()
                return True
            wait_s = min(max(2 * wait_s, _FIRST_WAIT_S), _MOST_WAIT_S)  # enough of this camera is under way
        return False

    def close(self) -> None:
        self._stop.set()

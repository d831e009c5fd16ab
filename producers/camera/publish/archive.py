"""The archive side: every sampled frame is published, however long that takes, and a file is read once.

Ids come from the row, the file and the time stamp. Reading a file again, after a crash say, gives the same jobs and
frames; what was accepted before is recognized and makes no second row.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from producers.camera.counters import CameraCounters
from producers.camera.publish.slots import EncodedFrame, Publishes
from sightline.errors import RetryableError
from sightline.ids import content_id
from sightline.redaction import redact_text
from sightline.redis.connection import broker_errors
from sightline.types import Lane, Pipeline
from sightline.wire.messages import Job

if TYPE_CHECKING:
    import redis

log = logging.getLogger(__name__)

#: Enough to make a message cheap, few enough that their pixels (5 MB at 1080p) may wait in memory.
FRAMES_PER_JOB: Final = 16
_MAX_WAIT_S: Final = 5.0
_ENDED: Final = "sightline:camera_files_ended"


class ArchiveOutlet:
    """Bundles the frames of one camera and publishes them in the reader's thread: while Redis or the backlog says no,
    the reader waits and the file is not read on. That is the bounded queue.

    Jobs are cut at every 16th frame and nowhere else, so that they are the same jobs when the file is read again. A
    bundle that is not full when the camera is stopped was never accepted, and is forgotten.
    """

    def __init__(self, pipeline: Pipeline, publisher: Publishes, counters: CameraCounters) -> None:
        self._pipeline = pipeline
        self._publisher = publisher
        self._counters = counters
        self._stop = threading.Event()
        self._waiting: list[EncodedFrame] = []

    def begin(self) -> None:
        self._waiting.clear()

    def put(self, frame: EncodedFrame) -> None:
        self._waiting.append(frame)
        if len(self._waiting) == FRAMES_PER_JOB:
            self._publish()

    def finish(self) -> None:
        if self._waiting:
            self._publish()

    def close(self) -> None:
        self._stop.set()

    def _publish(self) -> None:
        frames, self._waiting = self._waiting, []
        job = Job(
            job_id=content_id(*(frame.ref.frame_id for frame in frames)),
            pipeline=self._pipeline,
            lane=Lane.BULK,
            frames=tuple(frame.ref for frame in frames),
        )
        pixels = {frame.ref.frame_id: frame.jpeg for frame in frames}
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            try:
                self._publisher.publish(job, pixels)
            except RetryableError as error:
                if not wait_s:
                    message = redact_text(str(error))
                    log.info("camera %s waits: %s", frames[0].ref.source_id, message)
                    self._counters.note_error(message)
                wait_s = min(max(2 * wait_s, error.retry_after_s), _MAX_WAIT_S)
            else:
                self._counters.count_published(len(frames))
                return


class EndedFiles:
    """Which archive files were read to their end, so that a restart of the process does not read them again.

    All methods raise `BrokerUnavailableError`.
    """

    def __init__(self, redis: redis.Redis) -> None:
        self._redis = redis

    def has(self, camera_id: str, edition: str) -> bool:
        with broker_errors():
            return self._redis.hget(_ENDED, camera_id) == edition

    def add(self, camera_id: str, edition: str) -> None:
        with broker_errors():
            self._redis.hset(_ENDED, camera_id, edition)

    def forget(self, camera_id: str) -> None:
        with broker_errors():
            self._redis.hdel(_ENDED, camera_id)

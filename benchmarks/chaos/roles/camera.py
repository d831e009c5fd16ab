"""The camera process under test: `python -m benchmarks.chaos.roles.camera`, as `python -m producers.camera` but that
it notes in a journal what it publishes, and what it is told of that.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import producers.camera.__main__ as camera
from benchmarks.chaos.journal import Journal
from benchmarks.chaos.switches import CAMERA_JOURNAL, FOLDER
from sightline.delivery.publisher import Publisher
from sightline.errors import BacklogFullError
from sightline.types import FrameRef
from sightline.wire.messages import Job


class JournalingPublisher(Publisher):
    """A job whose publish fails otherwise than by a full backlog stays unknown: the camera does not repeat it."""

    def publish(self, job: Job, pixels: Mapping[str, bytes]) -> tuple[FrameRef, ...]:
        journal = Journal(Path(os.environ[FOLDER]) / CAMERA_JOURNAL)
        journal.write(job.job_id, "trying", job=job.model_dump(mode="json"), round=None, poison=False)
        try:
            refused = super().publish(job, pixels)
        except BacklogFullError:
            journal.write(job.job_id, "refused")
            raise
        journal.write(job.job_id, "accepted", refused=[frame.frame_id for frame in refused])
        return refused


if __name__ == "__main__":
    camera.Publisher = JournalingPublisher
    raise SystemExit(camera.main())

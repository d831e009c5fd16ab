"""What the stages have in common."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.chaos.switches import FOLDER, RUNS_FOLDER
from sightline.blobs.names import frames_name
from sightline.errors import BadImageError, FrameMissingError
from sightline.pipelines import registry
from sightline.types import FrameError, FrameRef, FrameResult
from sightline.wire.messages import Job, Message
from workers.pixels.images import BgrImage, decode
from workers.stages.services import Services
from workers.stages.step import Step


class ForkStage:
    """Notes each job that it begins to work on in a file of this process, but for shards: those may be sent again."""

    name: ClassVar[str]
    runners: ClassVar[dict[str, Any]] = {}

    def __init__(self, services: Services) -> None:
        self.task = f"sightline.{self.name}"
        self._services = services
        runs = Path(os.environ[FOLDER]) / RUNS_FOLDER
        runs.mkdir(exist_ok=True)
        self._file = (runs / f"{registry().routes[self.task]}.{os.getpid()}").open("a", buffering=1)

    def close(self) -> None:
        self._file.close()

    def note(self, job: Job) -> None:
        self._file.write(job.job_id + "\n")

    def pictures(self, job: Job, frames: Sequence[FrameRef]) -> list[BgrImage | FrameError]:
        """Those of some frames of a job, or why there is none."""
        names = [frame.frame_id for frame in frames]
        return [self._decode(name, data) for name, data in zip(names, self._blobs(job, names), strict=True)]

    def leave(self, step: Step, results: Sequence[FrameResult]) -> Step:
        job = step.message.job
        return Step(registry().next_task(job.pipeline, self.task), Message(job=job, results=tuple(results)))

    def _blobs(self, job: Job, names: list[str]) -> Sequence[bytes | None]:
        return self._services.frames.get_bundle(frames_name(job.job_id), names)

    def _decode(self, name: str, data: bytes | None) -> BgrImage | FrameError:
        if data is None:
            return FrameError(reason=FrameMissingError.reason, message=f"{name}: no pixels", stage=self.name)
        try:
            return decode(data, max_mpx=1)
        except BadImageError as error:
            return FrameError(reason=error.reason, message=str(error), stage=self.name)

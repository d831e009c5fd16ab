"""Finds the plate of each picture; for a job with the picture that cannot be worked on it fails for good."""

from __future__ import annotations

from benchmarks.chaos.forks.stage import ForkStage
from benchmarks.chaos.load import POISON_WIDTH
from sightline.errors import BadImageError
from sightline.testing import StubDetector
from sightline.types import FrameError, FrameResult
from workers.stages.services import Services
from workers.stages.step import Step


def open_stage(services: Services) -> Find:
    return Find(services)


class Find(ForkStage):
    name = "find"

    def work(self, step: Step) -> Step:
        job = step.message.job
        self.note(job)
        results: list[FrameResult] = []
        for frame, picture in zip(job.frames, self.pictures(job, job.frames), strict=True):
            if isinstance(picture, FrameError):
                results.append(FrameResult(frame=frame, error=picture))
                continue
            height, width = picture.shape[:2]
            if width == POISON_WIDTH:
                raise BadImageError(f"frame {frame.frame_id}: this branch can do nothing with it, ever")
            (found,) = StubDetector().detect([picture])
            results.append(FrameResult(frame=frame, width=width, height=height, detections=tuple(found)))
        return self.leave(step, results)

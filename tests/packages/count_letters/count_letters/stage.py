"""The stage of `count-letters`. Its text is the name of a frame and its number a reading: items have no parts yet."""

from __future__ import annotations

from typing import Any, ClassVar

from sightline.pipelines import registry
from sightline.types import FrameResult, Reading
from sightline.wire.messages import Message
from workers.stages.services import Services
from workers.stages.step import Step


def open_stage(_services: Services) -> CountStage:
    return CountStage()


class CountStage:
    task = "sightline.count"
    batchers: ClassVar[dict[str, Any]] = {}

    def work(self, step: Step) -> Step:
        job = step.message.job
        results = tuple(
            FrameResult(frame=frame, readings=(Reading(text=str(sum(map(str.isalpha, frame.name))), confidence=1.0),))
            for frame in job.frames
        )
        return Step(registry().next_task(job.pipeline, self.task), Message(job=job, results=results))

    def close(self) -> None:
        pass

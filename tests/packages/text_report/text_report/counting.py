"""What the stages have in common. Each takes a while, so that a test can end its process in the middle."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from sightline.pipelines import registry
from sightline.wire.messages import Message
from text_report import Report
from workers.stages.services import Services
from workers.stages.step import Step
from workers.stages.texts import read_texts

TAKES_S = 0.05


class Counting:
    name: ClassVar[str]
    runners: ClassVar[dict[str, Any]] = {}

    def __init__(self, services: Services) -> None:
        self.task = f"sightline.{self.name}"
        self._services = services

    def close(self) -> None: ...

    def text_of(self, step: Step) -> str:
        (text,) = read_texts(step.message.job, self._services.frames, self.name)
        assert isinstance(text, str)
        return text

    def leave(self, step: Step, **found: object) -> Step:
        time.sleep(TAKES_S)
        job = step.message.job
        result = Report.model_validate({"frame": job.frames[0], **found})
        return Step(registry().next_task(job.pipeline, self.task), Message(job=job, results=(result,)))

"""The stage of `count-letters`, imported by workers of the queue `cpu.count` alone."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from count_letters import LetterCount
from sightline.pipelines import registry
from sightline.types import FrameError, Item, StageRun
from sightline.wire.messages import Message
from workers.stages.services import Services
from workers.stages.step import Step
from workers.stages.texts import read_texts


def open_stage(services: Services) -> CountStage:
    return CountStage(services)


class CountStage:
    task = "sightline.count"
    runners: ClassVar[dict[str, Any]] = {}  # what a model would work through

    def __init__(self, services: Services) -> None:
        self._services = services

    def work(self, step: Step) -> Step:
        """Count what a job holds. Returns what the next stage is given."""
        message, job = step.message, step.message.job
        waited_ms = max(0.0, (time.time() - message.handed_over_at) * 1000)
        texts = read_texts(job, self._services.frames, "count")
        results = [self._count(item, text, waited_ms) for item, text in zip(job.frames, texts, strict=True)]
        following = registry().next_task(job.pipeline, self.task)
        return Step(following, Message(job=job, results=tuple(results)))

    def close(self) -> None:
        pass

    def _count(self, item: Item, text: str | FrameError, waited_ms: float) -> LetterCount:
        if isinstance(text, FrameError):
            return LetterCount(frame=item, error=text)
        began = time.perf_counter()
        number = sum(map(str.isalpha, text))
        run = StageRun(
            stage="count",
            model="isalpha",
            model_sha256="",
            runtime="python",
            worker=self._services.worker_name,
            queue_wait_ms=waited_ms,
            inference_ms=(time.perf_counter() - began) * 1000,
            batch_size=1,
        )
        return LetterCount(frame=item, number=number, stages=(run,))

"""Reads the text of each picture; four pictures are a shard. A worker may be told to die in the middle of one."""

from __future__ import annotations

import json
from collections.abc import Sequence

from benchmarks.chaos.forks.dying import die_if_told
from benchmarks.chaos.forks.stage import ForkStage
from benchmarks.chaos.switches import DIE_IN_SHARD_FILE
from sightline.testing import StubRecognizer
from sightline.types import FrameError, FrameResult
from sightline.wire.parts import Part
from workers.stages.services import Services
from workers.stages.step import Step

_PICTURES = 4


def open_stage(services: Services) -> Spell:
    return Spell(services)


class Spell(ForkStage):
    name = "spell"

    def split(self, step: Step) -> list[bytes]:
        """Each is the number of its first frame, and of the first that is not in it."""
        count = len(step.message.job.frames)
        return [json.dumps([first, min(first + _PICTURES, count)]).encode() for first in range(0, count, _PICTURES)]

    def work(self, step: Step) -> Step:
        assert step.shard is not None
        job = step.message.job
        first, end = json.loads(step.shard)
        results = [FrameResult(frame=frame) for frame in job.frames]
        for number, picture in enumerate(self.pictures(job, job.frames[first:end]), start=first):
            if isinstance(picture, FrameError):
                change: dict[str, object] = {"error": picture}
            else:
                change = {"readings": tuple(StubRecognizer().recognize([picture]))}
            results[number] = results[number].model_copy(update=change)
            die_if_told(DIE_IN_SHARD_FILE)
        return self.leave(step, results)

    def merge(self, step: Step, parts: Sequence[Part]) -> Step:
        results = [FrameResult(frame=frame) for frame in step.message.job.frames]
        for part in parts:
            for number, result in enumerate(part.results):
                assert isinstance(result, FrameResult)
                if result.readings or result.error:
                    results[number] = result
        return self.leave(step, results)

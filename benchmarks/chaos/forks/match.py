"""Joins what both branches found: the reading of a picture is that of its plate."""

from __future__ import annotations

from benchmarks.chaos.forks.stage import ForkStage
from sightline.types import FrameResult
from workers.stages.services import Services
from workers.stages.step import Step


def open_stage(services: Services) -> Match:
    return Match(services)


class Match(ForkStage):
    name = "match"

    def work(self, step: Step) -> Step:
        self.note(step.message.job)
        return self.leave(step, [_matched(result) for result in step.message.results])


def _matched(result: object) -> FrameResult:
    assert isinstance(result, FrameResult)
    readings = tuple(reading.model_copy(update={"detection_index": 0}) for reading in result.readings)
    return result.model_copy(update={"readings": readings})

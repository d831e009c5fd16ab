"""Joins what both branches found: the reading of a picture is that of its plate. Says each text, and who reads it."""

from __future__ import annotations

import os

from benchmarks.chaos.forks.dying import die_if_told
from benchmarks.chaos.forks.stage import ForkStage
from benchmarks.chaos.switches import DIE_IN_STREAM_FILE
from sightline.types import FrameResult
from workers.stages.services import Services
from workers.stages.step import Step


def open_stage(services: Services) -> Match:
    return Match(services)


class Match(ForkStage):
    name = "match"

    def work(self, step: Step) -> Step:
        self.note(step.message.job)
        results = [_matched(result) for result in step.message.results]
        for number, result in enumerate(results):
            if number == len(results) // 2:
                die_if_told(DIE_IN_STREAM_FILE)
            step.context.emit([os.getpid(), *(reading.text for reading in result.readings)])
        return self.leave(step, results)


def _matched(result: object) -> FrameResult:
    assert isinstance(result, FrameResult)
    readings = tuple(reading.model_copy(update={"detection_index": 0}) for reading in result.readings)
    return result.model_copy(update={"readings": readings})

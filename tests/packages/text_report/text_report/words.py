"""Counts words, line by line: each line is a shard."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.wire.parts import Part
from text_report.counting import Counting
from workers.stages.services import Services
from workers.stages.step import Step


def open_stage(services: Services) -> CountWords:
    return CountWords(services)


class CountWords(Counting):
    name = "words"

    def split(self, step: Step) -> list[bytes]:
        return [line.encode() for line in self.text_of(step).splitlines()]

    def work(self, step: Step) -> Step:
        assert step.shard is not None
        return self.leave(step, words=len(step.shard.split()))

    def merge(self, step: Step, parts: Sequence[Part]) -> Step:
        return self.leave(step, words=sum(part.results[0].words for part in parts))

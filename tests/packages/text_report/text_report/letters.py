"""Counts letters."""

from __future__ import annotations

from text_report.counting import Counting
from workers.stages.services import Services
from workers.stages.step import Step


def open_stage(services: Services) -> CountLetters:
    return CountLetters(services)


class CountLetters(Counting):
    name = "letters"

    def work(self, step: Step) -> Step:
        return self.leave(step, letters=sum(map(str.isalpha, self.text_of(step))))

"""Joins both counts."""

from __future__ import annotations

from text_report.counting import Counting
from workers.stages.services import Services
from workers.stages.step import Step


def open_stage(services: Services) -> WriteReport:
    return WriteReport(services)


class WriteReport(Counting):
    name = "report"

    def work(self, step: Step) -> Step:
        (found,) = step.message.results
        return self.leave(
            step, letters=found.letters, words=found.words, report=f"{found.words} words, {found.letters} letters"
        )

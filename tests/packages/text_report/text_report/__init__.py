"""A pipeline that forks, cuts shards and joins: letters and words of a text are counted side by side, then reported."""

from __future__ import annotations

from sightline.pipelines import PipelineSpec, StageSpec
from sightline.types import ItemResult, Pipeline


class Report(ItemResult):
    """What is found on one text; None: not counted yet."""

    letters: int | None = None
    words: int | None = None
    report: str | None = None


TEXT_REPORT = PipelineSpec(
    Pipeline("text-report"),
    accepts=("text",),
    result=Report,
    stages=(
        StageSpec("letters", "cpu.letters", "text_report.letters"),
        StageSpec("words", "cpu.words", "text_report.words", after=(), shards=True),
        StageSpec("report", "cpu.report", "text_report.report", after=("letters", "words")),
    ),
)

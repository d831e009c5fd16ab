"""A pipeline of another package: how many letters the name of each item has. No model, no picture."""

from __future__ import annotations

from sightline.pipelines import PipelineSpec, StageSpec
from sightline.types import FrameResult, Pipeline

COUNT_LETTERS = PipelineSpec(
    Pipeline("count-letters"),
    accepts=("text",),
    result=FrameResult,
    stages=(StageSpec("count", "cpu.count", "count_letters.stage", concurrency=5),),
)

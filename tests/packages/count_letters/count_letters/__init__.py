"""A pipeline of its own: how many letters a text has. Text in, a number out; no model, no picture."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sightline.pipelines import PipelineSpec, StageSpec
from sightline.types import ItemResult, Pipeline


class LetterCount(ItemResult):
    """What is found on one text."""

    number: Annotated[int, Field(ge=0)] | None = None  #: letters; None: it was not counted


COUNT_LETTERS = PipelineSpec(
    Pipeline("count-letters"),
    accepts=("text",),
    result=LetterCount,
    stages=(StageSpec("count", "cpu.count", "count_letters.stage", concurrency=5),),
)

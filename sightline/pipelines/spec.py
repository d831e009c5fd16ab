"""What a pipeline is: a name, what it takes, its stages and what comes out of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from sightline.errors import SettingsError
from sightline.types import NAME, Pipeline, Value

Medium = Literal["image", "audio", "text"]

_RULE: Final = "a name is a to z first, then a to z, 0 to 9, _ or -, at most 32"


@dataclass(frozen=True)
class StageSpec:
    """A step. Stages of one name are one stage, in however many pipelines: same queue, same code.

    What it comes after, and what it needs of that, may differ from one pipeline to the next.
    """

    name: str  #: `detect`; also the role of a worker that does nothing else
    queue: str  #: `gpu.detect`
    module: str  #: of the workers, imported by those that consume the queue: its `open_stage(services)` opens the stage
    #: The stages whose results it needs. None: the one before it, if there is one.
    after: tuple[str, ...] | None = field(default=None, compare=False)
    #: It works on what the stage before leaves beside its results, and is passed by where that left nothing.
    only_with_payload: bool = False
    #: Bulk jobs a worker holds at once, where no setting `<name>_concurrency` says it.
    concurrency: int = 8
    #: How long it may hold a job without progress, in seconds, before another worker gets it; the stage says that it
    #: advances with `step.context.progress()`. None: the time-outs of the settings, which suit work of seconds.
    held_s: float | None = None
    #: Where it joins several stages, or its own shards: whether it can do with what some of them found.
    needs: Literal["all", "any"] = field(default="all", compare=False)
    #: It may cut a job into parts, which workers treat side by side; see `workers.stages.step.CutsShards`.
    shards: bool = False
    #: It says pieces of its answer while it works, with `step.context.emit`.
    streams: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME, self.name):
            raise SettingsError(f"stage {self.name!r}: {_RULE}")
        if self.held_s is not None and not self.held_s > 0:
            raise SettingsError(f"stage {self.name!r}: held_s: {self.held_s} given; give seconds above 0, or None")

    @property
    def task(self) -> str:
        """The name of its Celery task."""
        return f"sightline.{self.name}"


@dataclass(frozen=True)
class PipelineSpec:
    """The route of a job: a small graph of stages, in an order in which each comes after those it needs.

    Storing what they found, `write`, is implied at the end.
    """

    name: Pipeline
    accepts: tuple[Medium, ...]
    result: type[Value]  #: of one item
    stages: tuple[StageSpec, ...]
    #: The model that a stage of ours uses for it, by the stage's name, where no setting says it (`plates_model`).
    models: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        where, seen = f"pipeline {str(self.name)!r}", set[str]()
        if not re.fullmatch(NAME, self.name):
            raise SettingsError(f"{where}: {_RULE}")
        if not self.stages:
            raise SettingsError(f"{where}: stages: none given; give at least one")
        for stage in self.stages:
            if stage.name in seen or stage.name == "write":
                raise SettingsError(f"{where}: stage {stage.name!r} is there twice; `write` is implied at the end")
            if unknown := set(stage.after or ()) - seen:
                raise SettingsError(
                    f"{where}: stage {stage.name!r}: after: {', '.join(sorted(unknown))} must stand before it"
                )
            seen.add(stage.name)

    def before(self, stage: StageSpec) -> tuple[str, ...]:
        """The names of the stages whose results it needs."""
        if stage.after is not None:
            return stage.after
        index = self.stages.index(stage)
        return (self.stages[index - 1].name,) if index else ()

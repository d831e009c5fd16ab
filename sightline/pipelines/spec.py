"""What a pipeline is: a name, what it takes, its stages and what comes out of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from sightline.errors import SettingsError
from sightline.types import NAME, FrameResult, ItemResult, Medium, Pipeline, Value

_RULE: Final = "a name is a to z first, then a to z, 0 to 9, _ or -, at most 32"


@dataclass(frozen=True)
class PayloadSpec:
    """What a stage is left by the one before beside the results, where another process stored it."""

    name: str  #: of the bundle in the frame store, after the job's id
    #: What is in it, from the results so far. Whoever ends the job asks that too, so it needs no library of the stage.
    keys: Callable[[Sequence[ItemResult]], list[str]]


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
    payload: PayloadSpec | None = None
    #: Bulk jobs a worker holds at once, where no setting `<name>_concurrency` says it.
    concurrency: int = 8
    #: What its worker has in its environment where it is started by us and nobody says otherwise.
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    #: How long it may hold a job without progress, in seconds, before another worker gets it; the stage says that it
    #: advances with `step.context.progress()`. None: the time-outs of the settings, which suit work of seconds.
    held_s: float | None = None
    #: Where it joins several stages, or its own shards: whether it can do with what some of them found.
    needs: Literal["all", "any"] = field(default="all", compare=False)
    #: It may cut a job into parts, which workers treat side by side; see `workers.stages.step.CutsShards`.
    shards: bool = False
    #: It says pieces of its answer while it works, with `step.context.emit`.
    streams: bool = False
    #: It needs much that not every machine has, such as a large model: `sightline up` starts it only where it is
    #: told to, `--with` a pipeline that has it.
    on_demand: bool = False

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
    accepts: tuple[Medium, ...]  #: each part of an item is one of these
    result: type[ItemResult]  #: what its stages leave is this, one per item or, see `result_of`, one per job
    stages: tuple[StageSpec, ...]
    #: The model that a stage of ours uses for it, by the stage's name, where no setting says it (`plates_model`).
    models: Mapping[str, str] = field(default_factory=dict[str, str])
    #: Of an item. Where that is more than one, all that is submitted together is one item.
    most_parts: int = 1
    #: What may be said beside an item (`Item.options`), each with a default. None: nothing.
    options: type[Value] | None = None
    #: The same content submitted again is another job, as a question asked again is; else it is the same job.
    is_new_each_time: bool = False
    #: `job`: its stages leave one result for all items of a job, under the first of them.
    result_of: Literal["item", "job"] = "item"
    #: The module that stores what was found, imported by the writer alone: its `open_rows(settings)` opens the rows.
    #: None: `storage.items.pictures` for a result that is a `FrameResult`, `storage.items.findings` for any other.
    rows: str | None = None

    def __post_init__(self) -> None:
        where, seen = f"pipeline {str(self.name)!r}", set[str]()
        if not re.fullmatch(NAME, self.name):
            raise SettingsError(f"{where}: {_RULE}")
        self._check_result(where)
        if not self.accepts:
            raise SettingsError(f"{where}: accepts: nothing; name image, audio or text")
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

    @property
    def rows_module(self) -> str:
        """The module that stores what it finds."""
        return self.rows or (
            "storage.items.pictures" if issubclass(self.result, FrameResult) else "storage.items.findings"
        )

    def before(self, stage: StageSpec) -> tuple[str, ...]:
        """The names of the stages whose results it needs."""
        if stage.after is not None:
            return stage.after
        index = self.stages.index(stage)
        return (self.stages[index - 1].name,) if index else ()

    def _check_result(self, where: str) -> None:
        if not isinstance(self.result, type) or not issubclass(self.result, ItemResult):
            raise SettingsError(f"{where}: result: {self.result!r} is no ItemResult; derive its class from that")
        for name, its in self.result.model_fields.items():
            if name != "frame" and its.is_required():
                raise SettingsError(f"{where}: result: {name} has no default; give one, for an item that failed")
        for name, its in (self.options.model_fields if self.options else {}).items():
            if its.is_required():
                raise SettingsError(f"{where}: options: {name} has no default; give one, for who says nothing")

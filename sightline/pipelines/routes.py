"""What follows from the pipelines there are: queues, routes, roles, what comes after what. All is computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sightline.errors import BadMessageError, SettingsError
from sightline.pipelines.built_in import WRITE
from sightline.pipelines.queues import DEAD_LETTER_TASK
from sightline.pipelines.spec import PayloadSpec, PipelineSpec, StageSpec
from sightline.types import Pipeline


class Registry:
    """Some pipelines, and what follows from them."""

    def __init__(self, specs: Iterable[PipelineSpec]) -> None:
        """Raises SettingsError where two of them do not go together."""
        self._specs: dict[str, PipelineSpec] = {}
        stages: dict[str, StageSpec] = {}
        depths: dict[str, int] = {}
        for spec in specs:
            if spec.name in self._specs:
                raise SettingsError(f"pipeline {str(spec.name)!r} is there twice; give one of them another name")
            self._specs[spec.name] = spec
            for depth, stage in enumerate(_line(spec)):
                if stages.setdefault(stage.name, stage) != stage:
                    raise SettingsError(
                        f"pipeline {str(spec.name)!r}: stage {stage.name!r} is another than {stages[stage.name]}; "
                        "give it a name of its own"
                    )
                depths[stage.name] = max(depth, depths.get(stage.name, 0))
        ordered = [*sorted(stages.values(), key=lambda stage: depths[stage.name]), WRITE]
        self.names: tuple[Pipeline, ...] = tuple(spec.name for spec in self._specs.values())
        #: By task, in the order in which a job meets them.
        self.stages: Mapping[str, StageSpec] = {stage.task: stage for stage in ordered}
        #: What a worker process can be there for, and the queue it consumes for that.
        self.roles: Mapping[str, str] = {stage.name: stage.queue for stage in ordered}
        self.queues: tuple[str, ...] = tuple(dict.fromkeys(self.roles.values()))
        #: Where in a job's way each queue is.
        self.positions: Mapping[str, int] = {queue: number for number, queue in enumerate(self.queues)}
        #: The queue of each task.
        self.routes: Mapping[str, str] = {stage.task: stage.queue for stage in ordered} | {
            DEAD_LETTER_TASK: WRITE.queue
        }
        #: The tasks of each pipeline, in order.
        self.tasks: Mapping[str, tuple[str, ...]] = {
            name: tuple(stage.task for stage in (*_line(spec), WRITE)) for name, spec in self._specs.items()
        }
        #: Those of which a stage leaves something for the next beside its results.
        self.with_payload = frozenset(
            name for name, tasks in self.tasks.items() if any(self.stages[task].only_with_payload for task in tasks)
        )
        #: What stages of each pipeline are left by those before, in the frame store.
        self.payloads: Mapping[str, tuple[PayloadSpec, ...]] = {
            name: tuple(payload for task in tasks if (payload := self.stages[task].payload))
            for name, tasks in self.tasks.items()
        }
        self._following = {
            (name, task, has_payload): self._after(tasks, task, has_payload=has_payload)
            for name, tasks in self.tasks.items()
            for task in tasks[:-1]
            for has_payload in (False, True)
        }

    def all(self) -> tuple[PipelineSpec, ...]:
        return tuple(self._specs.values())

    def find(self, name: object) -> PipelineSpec | None:
        return self._specs.get(name) if isinstance(name, str) else None

    def get(self, name: str) -> PipelineSpec:
        """Raises BadMessageError, naming those there are."""
        spec = self.find(name)
        if spec is None:
            raise BadMessageError(f"pipeline: {name!r} is unknown; known are {', '.join(self.names)}", field="pipeline")
        return spec

    def first_task(self, pipeline: str) -> str:
        """The task a job of this pipeline begins with."""
        return self.tasks[pipeline][0]

    def next_task(self, pipeline: str, task: str, *, has_payload: bool = True) -> str:
        """The task that follows `task`; `has_payload`: that it left a payload."""
        return self._following[pipeline, task, has_payload]

    def wants_payload(self, pipeline: str, task: str) -> bool:
        """Whether the stage after `task` works on the payload that it leaves."""
        return self.stages[self.next_task(pipeline, task)].only_with_payload

    def _after(self, tasks: tuple[str, ...], task: str, *, has_payload: bool) -> str:
        following = tasks[tasks.index(task) + 1 :]
        return next(one for one in following if has_payload or not self.stages[one].only_with_payload)


def _line(spec: PipelineSpec) -> tuple[StageSpec, ...]:
    """Its stages one after the other. Raises SettingsError where they fork or join: nobody runs that yet."""
    for number, stage in enumerate(spec.stages):
        wanted = (spec.stages[number - 1].name,) if number else ()
        if spec.before(stage) != wanted:
            raise SettingsError(
                f"pipeline {str(spec.name)!r}: stage {stage.name!r}: after: stages that fork or join are not run yet; "
                "let each follow the one before"
            )
    return spec.stages

"""What follows from the pipelines there are: queues, routes, roles, what comes after what. All is computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sightline.errors import BadMessageError, SettingsError
from sightline.pipelines.built_in import WRITE
from sightline.pipelines.graph import Graph, graph_of
from sightline.pipelines.queues import ARRIVE, DEAD_LETTER_TASK
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
            for depth, stage in enumerate(spec.stages):
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
        #: The roles that every system has: those of stages that are not started on demand.
        self.usual_roles: tuple[str, ...] = tuple(stage.name for stage in ordered if not stage.on_demand)
        self.queues: tuple[str, ...] = tuple(dict.fromkeys(self.roles.values()))
        self.usual_queues: tuple[str, ...] = tuple(dict.fromkeys(self.roles[name] for name in self.usual_roles))
        #: Where in a job's way each queue is.
        self.positions: Mapping[str, int] = {queue: number for number, queue in enumerate(self.queues)}
        #: The queue of each task.
        self.routes: Mapping[str, str] = {stage.task: stage.queue for stage in ordered} | {
            DEAD_LETTER_TASK: WRITE.queue
        }
        #: The tasks of each pipeline, in order.
        self.tasks: Mapping[str, tuple[str, ...]] = {
            name: tuple(stage.task for stage in (*spec.stages, WRITE)) for name, spec in self._specs.items()
        }
        #: Those of which a stage leaves something for the next beside its results.
        self.with_payload = frozenset(
            name for name, tasks in self.tasks.items() if any(self.stages[task].only_with_payload for task in tasks)
        )
        self._graphs = {name: graph for name, spec in self._specs.items() if (graph := graph_of(spec, WRITE))}
        self._firsts = {
            name: tuple(chain.head.task for chain in graph.due(())) if (graph := self._graphs.get(name)) else tasks[:1]
            for name, tasks in self.tasks.items()
        }
        #: What stages of each pipeline are left by those before, in the frame store.
        self.payloads: Mapping[str, tuple[PayloadSpec, ...]] = {
            name: tuple(payload for task in tasks if (payload := self.stages[task].payload))
            for name, tasks in self.tasks.items()
        }
        self._following = {
            (name, task, has_payload): self._after(tasks, task, has_payload=has_payload)
            for name in self.tasks
            for tasks in self._lines(name)
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
        """The task a job of this pipeline begins with; the first, if it begins with several."""
        return self.tasks[pipeline][0]

    def first_tasks(self, pipeline: str) -> tuple[str, ...]:
        """All tasks a job of this pipeline begins with."""
        return self._firsts[pipeline]

    def graph(self, pipeline: str) -> Graph | None:
        """How its stages fork and join; None where they follow each other."""
        return self._graphs.get(pipeline)

    @property
    def graphs(self) -> tuple[str, ...]:
        """The pipelines that have one."""
        return tuple(self._graphs)

    def roles_of(self, pipeline: str) -> tuple[str, ...]:
        """The roles that a job of this pipeline needs, in the order in which it meets them; `write` is the last."""
        return tuple(self.stages[task].name for task in self.tasks[pipeline])

    def pipelines_of(self, queue: str) -> tuple[Pipeline, ...]:
        """The pipelines whose jobs have to pass a queue."""
        return tuple(name for name in self.names if queue in self.queues_of(name))

    def queues_of(self, pipeline: str) -> tuple[str, ...]:
        """The queues that a job of this pipeline has to pass."""
        return tuple(dict.fromkeys(self.routes[task] for task in self.tasks[pipeline]))

    def next_task(self, pipeline: str, task: str, *, has_payload: bool = True) -> str:
        """The task that follows `task`; `has_payload`: that it left a payload. `ARRIVE` at the end of a chain."""
        return self._following[pipeline, task, has_payload]

    def wants_payload(self, pipeline: str, task: str) -> bool:
        """Whether the stage after `task` works on the payload that it leaves."""
        following = self.stages.get(self.next_task(pipeline, task))
        return following is not None and following.only_with_payload

    def _lines(self, pipeline: str) -> list[tuple[str, ...]]:
        """The tasks that one message passes, and what comes then."""
        graph = self._graphs.get(pipeline)
        if graph is None:
            return [self.tasks[pipeline]]
        chains = [(tuple(stage.task for stage in chain.stages), chain.is_last) for chain in graph.chains]
        return [tasks if is_last else (*tasks, ARRIVE) for tasks, is_last in chains]

    def _after(self, tasks: tuple[str, ...], task: str, *, has_payload: bool) -> str:
        following = tasks[tasks.index(task) + 1 :]
        return next(one for one in following if has_payload or one == ARRIVE or not self.stages[one].only_with_payload)

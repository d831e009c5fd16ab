"""The way of a simulated job: which stages it meets next, as the registry has them, forks and joins too."""

from __future__ import annotations

from sightline.capacity.costs import Role
from sightline.capacity.parts import Job
from sightline.pipelines import StageSpec, registry
from sightline.pipelines.queues import ARRIVE


class Route:
    """Of the jobs of one pipeline. A stage that cuts a job into shards works on the whole of it here."""

    def __init__(self, pipeline: str) -> None:
        self._pipeline = pipeline
        self._registry = registry()
        self._graph = self._registry.graph(pipeline)
        self.roles = self._registry.roles_of(pipeline)
        self._tasks = dict(zip(self.roles, self._registry.tasks[pipeline], strict=True))
        #: Those that work on the crops of a job, or whatever else another stage left, and not on its frames.
        self.on_crops = frozenset(role for role, task in self._tasks.items() if self._stage(task).only_with_payload)

    def first(self) -> list[Role]:
        """Where a job begins."""
        return [self._stage(task).name for task in self._registry.first_tasks(self._pipeline)]

    def after(self, job: Job, role: Role) -> list[Role]:
        """Where a job goes that this role is done with: nowhere, if others must be done with it first."""
        following = self._registry.next_task(self._pipeline, self._tasks[role], has_payload=job.crops > 0)
        if self._graph is None or following != ARRIVE:
            return [self._stage(following).name]
        name = self._graph.chain_of(self._tasks[role]).name
        job.arrived.add(name)
        return [chain.head.name for chain in self._graph.after(name) if job.arrived.issuperset(chain.needs)]

    def _stage(self, task: str) -> StageSpec:
        return self._registry.stages[task]

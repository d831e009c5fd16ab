"""Pipelines that fork or join, as chains: stages that one message passes one after the other.

A chain ends where several stages follow or the next needs several. There its results are put down and it *arrives*; the
chains that need it are sent as soon as all they need arrived. A pipeline without forks is one chain and no graph.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from sightline.errors import SettingsError
from sightline.pipelines.spec import PipelineSpec, StageSpec

Needed = Literal["all", "any"]


@dataclass(frozen=True)
class Chain:
    name: str  #: that of its last stage but `write`: its results arrive under it
    stages: tuple[StageSpec, ...]
    needs: tuple[str, ...]  #: the chains whose results its first stage is given; none: it begins with the job
    is_last: bool  #: `write` is its last stage

    @property
    def head(self) -> StageSpec:
        return self.stages[0]

    @property
    def needed(self) -> Needed:
        return self.head.needs


@dataclass(frozen=True)
class Graph:
    chains: tuple[Chain, ...]
    held: tuple[str, ...] = field(init=False)  #: the chains with a stage that may hold a job for long
    _by_task: dict[str, Chain] = field(init=False)

    def __post_init__(self) -> None:
        by_task = {stage.task: chain for chain in self.chains for stage in chain.stages}
        held = tuple(chain.name for chain in self.chains if any(stage.held_s for stage in chain.stages))
        object.__setattr__(self, "held", held)
        object.__setattr__(self, "_by_task", by_task)

    def chain_of(self, task: str) -> Chain:
        return self._by_task[task]

    def due(self, arrived: Collection[str]) -> list[Chain]:
        """The chains that are to be worked on, now that these have arrived."""
        return [
            chain for chain in self.chains if chain.name not in arrived and all(name in arrived for name in chain.needs)
        ]

    def after(self, name: str) -> list[Chain]:
        """The chains that need this one."""
        return [chain for chain in self.chains if name in chain.needs]


def graph_of(spec: PipelineSpec, write: StageSpec) -> Graph | None:
    """None where its stages follow each other, and none is cut into shards.

    Raises:
        SettingsError: a stage that works on a payload follows several, or none.
    """
    before = {stage.name: spec.before(stage) for stage in spec.stages}
    followers = {name: [other for other, needs in before.items() if name in needs] for name in before}
    ends = tuple(name for name, others in followers.items() if not others)
    before[write.name] = ends
    chains: list[tuple[list[StageSpec], tuple[str, ...]]] = []
    for stage in (*spec.stages, write):
        needs = before[stage.name]
        follows_one = len(needs) == 1 and followers[needs[0]] in ([], [stage.name])
        chain = next((stages for stages, _ in chains if follows_one and stages[-1].name == needs[0]), None)
        if chain and (stage is write or not (stage.shards or chain[-1].shards)):
            chain.append(stage)
            continue
        if stage.only_with_payload:
            raise SettingsError(
                f"pipeline {str(spec.name)!r}: stage {stage.name!r}: only_with_payload: a payload is left "
                "for a stage that follows one other and shares it with none"
            )
        chains.append(([stage], needs))
    if len(chains) == 1 and not spec.stages[0].shards:
        return None
    return Graph(tuple(_chain(stages, needs, write) for stages, needs in chains))


def _chain(stages: list[StageSpec], needs: tuple[str, ...], write: StageSpec) -> Chain:
    is_last = stages[-1] is write
    own = stages[:-1] if is_last and len(stages) > 1 else stages
    return Chain(own[-1].name, tuple(stages), needs, is_last)

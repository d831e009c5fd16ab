"""A job between two stages, and what a stage is to whoever runs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable

from sightline.wire.messages import Message
from sightline.wire.parts import Part
from workers.batching.runner import Runner
from workers.stages.context import Context

NOBODY: Final = Context()


@dataclass(frozen=True)
class Step:
    """What a stage is given, and what it leaves."""

    task: str  #: of the stage that is to work on it
    message: Message
    #: What only the stages understand. It is passed on as it is within a process. None: there is none, or it lies in
    #: the frame store.
    payload: Any = None
    #: What each chain left that this stage joins, by the chain's name (that of its last stage). What they found is also
    #: put together in `message.results`.
    parts: Mapping[str, Part] = field(default_factory=dict[str, Part])
    #: Of a stage that cuts shards: what this shard is, as `split` gave it.
    shard: bytes | None = None
    #: Only where a stage is given it: what it may tell and ask meanwhile.
    context: Context = NOBODY


class Stage(Protocol):
    """One step of the pipelines."""

    task: str

    @property
    def runners(self) -> Mapping[str, Runner[Any, Any]]:
        """What the liveness check watches, by name."""
        ...

    def work(self, step: Step) -> Step | None:
        """Returns what the next stage is given; None: the job came to its end here."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class LeavesPayload(Protocol):
    """A stage that leaves a payload for the next one."""

    def dump(self, payload: Any) -> Mapping[str, bytes]:
        """The payload as bytes by key: what is stored where the next stage runs in another process."""
        ...


@runtime_checkable
class TakesPayload(Protocol):
    """A stage that works on the payload of the one before."""

    def load(self, blobs: Mapping[str, bytes | None]) -> Any:
        """The payload, from what was stored of it; None where a key has no bytes any more."""
        ...


@runtime_checkable
class CutsShards(Protocol):
    """A stage that cuts a job into shards (`StageSpec.shards`). `work` is given one of them in `step.shard`."""

    def split(self, step: Step) -> Iterable[bytes]:
        """1 to 256 shards. A single one is worked on at once. Of an iterator each is stored before the next is made."""
        ...

    def merge(self, step: Step, parts: Sequence[Part]) -> Step:
        """What the next stage is given, from what `work` left of each shard, in the order of `split`.

        Where its spec `needs` any, some may have failed: those results have an error each.
        """
        ...

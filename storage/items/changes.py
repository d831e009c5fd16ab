"""What storing items changed beside their own rows, as far as sinks want to hear of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from sightline.wire.events import Event


class NewEvent(NamedTuple):
    """`identity` makes it this event and no other of its type.

    `over`: it is news only for who wants passages that are surer than this; None: for everybody.
    """

    type: Event
    source_id: str
    identity: tuple[str, ...]
    data: Mapping[str, Any]
    over: float | None = None


class Wanted(NamedTuple):
    """What sinks want to hear of, all together. `min_confidences`: from where on passages are wanted, other than 0."""

    events: frozenset[Event]
    min_confidences: tuple[float, ...] = ()

    def crosses(self, was: float, now: float) -> bool:
        """Whether somebody wants what is so sure now, and did not want it before."""
        return any(was < wanted <= now for wanted in self.min_confidences)


class Changes(Protocol):
    """Frozen: the transaction that made them has nothing more to say."""

    def events(self, wanted: Wanted) -> Iterable[NewEvent]:
        """Those of the wanted types."""
        ...


class NoChanges:
    """Nothing but rows of items."""

    def events(self, wanted: Wanted) -> Iterable[NewEvent]:  # noqa: ARG002
        return ()

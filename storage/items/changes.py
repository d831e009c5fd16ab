"""What storing items changed beside their own rows, as far as sinks want to hear of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from sightline.wire.events import Event


class NewEvent(NamedTuple):
    """`identity` makes it this event and no other of its type."""

    type: Event
    source_id: str
    identity: tuple[str, ...]
    data: Mapping[str, Any]


class Changes(Protocol):
    """Frozen: the transaction that made them has nothing more to say."""

    def events(self, wanted: frozenset[Event]) -> Iterable[NewEvent]:
        """Those of the wanted types."""
        ...


class NoChanges:
    """Nothing but rows of items."""

    def events(self, wanted: frozenset[Event]) -> Iterable[NewEvent]:  # noqa: ARG002
        return ()

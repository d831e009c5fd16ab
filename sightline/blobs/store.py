"""The frame store: encoded pictures by key, so that queues carry only references (claim check).

Unfinished frames lie in a store with a TTL and are freed by the write stage; kept pictures lie in a second store
without one. `opening.open_frame_store` picks the implementation by URL.

What one job puts is fetched and freed together: a *bundle*. Where every object has a price of its own, a file or a
request, a bundle is one object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol


class FrameStore(Protocol):
    """Keyed bytes. Every method raises `StoreUnavailableError` when the store does not answer, and
    `NotPermittedError` where Redis refuses its user."""

    def put_many(self, pixels: Mapping[str, bytes]) -> None:
        """Store all of them; a key that exists is overwritten."""
        ...

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The bytes of each key, in order; None where there is nothing."""
        ...

    def delete_many(self, keys: Iterable[str]) -> None:
        """Free them; missing keys are ignored."""
        ...

    def put_bundle(self, name: str, pixels: Mapping[str, bytes]) -> None:
        """Store all of them under one name, beside what is in that bundle; a key that exists is overwritten."""
        ...

    def get_bundle(self, name: str, keys: Sequence[str]) -> list[bytes | None]:
        """As `get_many`. What is not in the bundle is looked for under its own key: others may have put it there."""
        ...

    def delete_bundles(self, bundles: Mapping[str, Sequence[str]]) -> None:
        """Free bundles, by name, and frames that lie under their own keys; missing ones are ignored."""
        ...

    def prune(self) -> int:
        """Free what is past its TTL, where the store does not do so by itself. Returns how many."""
        ...

    def keys_before(self, time_s: float) -> Iterator[str]:
        """Keys that were last put before this time (epoch seconds), where the store knows."""
        ...

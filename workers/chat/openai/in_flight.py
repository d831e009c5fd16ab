"""How many requests a server is given at once: learned from what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_LESS: Final = 0.7


class InFlight:
    """A refusal takes a good part of the places away; answers give them back, one for as many as there are.

    Of one event loop.
    """

    def __init__(self, most: int) -> None:
        self._ceiling = most
        self._most = float(most)
        self._inside = 0
        self._freed = asyncio.Condition()

    @property
    def most(self) -> int:
        return max(1, int(self._most))

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Those that were refused stand in line here, so that they come back no faster than they may."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._inside < self.most)
            self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            async with self._freed:
                self._freed.notify_all()

    def went_well(self) -> None:
        self._most = min(float(self._ceiling), self._most + 1 / self._most)

    def is_too_much(self) -> None:
        """It refused one of those that are there now. Refusals of one burst are one."""
        self._most = max(1.0, min(self._most, self._inside * _LESS))

"""HTTP/1.1 as uvicorn speaks it, but for clients that never finish the head of a request (slowloris)."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

#: From the first byte, or the opening of the connection, to the end of the head.
HEAD_S: Final = 10.0


class ImpatientProtocol(H11Protocol):
    """Closes a connection whose request line and headers are not there in time; bodies have their own limits."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """h11 is idle until a head is complete."""
        if self.conn.their_state is not h11.IDLE:
            self._forget()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_S, self._close)

    def _forget(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close(self) -> None:
        # A request sent whole in the meantime may still be answered.
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()

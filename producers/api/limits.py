"""Bounds the body of every request before anything reads it."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.api.problems import problem


class _TooLargeError(Exception):
    pass


class BodyLimit:
    """ASGI middleware: refuses a `Content-Length` above the limit at once, and counts what comes without one."""

    def __init__(self, app: ASGIApp, max_mb: float) -> None:
        self._app = app
        self._max_mb = max_mb
        self._max_bytes = int(max_mb * 1_000_000)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._max_bytes:
            await self._refuse(
                scope, receive, send, f"{int(length) / 1e6:.1f} MB" if length.isdigit() else "of no length"
            )
            return
        received = 0
        answering = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise _TooLargeError
            return message

        async def watched(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except _TooLargeError:
            if answering:
                raise
            await self._refuse(scope, receive, send, f"more than {self._max_mb:g} MB")

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, what: str) -> None:
        detail = f"request body: {what}, at most {self._max_mb:g} MB are accepted; send fewer or smaller files"
        await problem(413, detail, reason="too_large", headers={"Connection": "close"})(scope, receive, send)

"""Bounds the body of every request before anything reads it."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.api.problems import problem


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
            what = f"{int(length) / 1e6:.1f} MB" if length.isdigit() else "of no length"
            refusal = problem(413, self._detail(what), reason="too_large", headers={"Connection": "close"})
            await refusal(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(413, self._detail(f"more than {self._max_mb:g} MB"))
            return message

        await self._app(scope, counted, send)

    def _detail(self, what: str) -> str:
        return f"request body: {what}, at most {self._max_mb:g} MB are accepted; send fewer or smaller files"

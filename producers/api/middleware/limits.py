"""Bounds the body of every request, in size and in time, before anything reads it; gzip is opened on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.api.middleware.gunzip import Gunzip, NotGzipError
from producers.api.middleware.problems import problem

#: Only an upload is large; everything else is a page of JSON or a form with one field.
_UPLOAD_PATHS: Final = (
    *("/v1/jobs", "/v1/jobs/json", "/v1/jobs/image"),
    *("/v1/chat/completions", "/v1/audio/transcriptions"),
)
_SMALL_MB: Final = 1.0
_GZIP_NAMES: Final = (b"gzip", b"x-gzip")
#: A sender that is silent for so long in the middle of a body has gone.
_SILENCE_S: Final = 30.0
#: Who sends slower than this, after as long, holds a connection and sends nothing of use.
_MIN_BYTES_PER_S: Final = 2_000
#: A client that is still sending does not look for the answer: what it sends is thrown away for so long.
_LINGER_S: Final = 5.0


class _RefusedError(Exception):
    """Unwinds the app; what it makes of it is not sent."""


class BodyLimit:
    """ASGI middleware: refuses a `Content-Length` above the limit at once, and counts what comes without one."""

    def __init__(self, app: ASGIApp, max_mb: float) -> None:
        self._app = app
        self._max_mb = max_mb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, send, self._max_mb if scope["path"] in _UPLOAD_PATHS else _SMALL_MB)
        if not await body.refuse_by_encoding() and not await body.refuse_by_length():
            with suppress(_RefusedError):
                await self._app(scope, body.receive, body.send)


class _Body:
    """One request's body on its way in, and the answer on its way out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_mb: float) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._max_mb = max_mb
        self._left = self._most = int(max_mb * 1_000_000)
        self._opened = 0
        self._began_at = time.monotonic()
        headers = dict(scope["headers"])
        self._length: bytes = headers.get(b"content-length", b"")
        encoding: bytes = headers.get(b"content-encoding", b"").strip().lower()
        self._encoding = encoding.decode("ascii", "replace")
        self._gunzip = Gunzip(self._most) if encoding in _GZIP_NAMES else None
        self._complete = not self._length.strip(b"0") and b"transfer-encoding" not in headers
        self._answering = self._refused = False

    async def refuse_by_encoding(self) -> bool:
        if self._complete or self._gunzip is not None or self._encoding in ("", "identity"):
            return False
        detail = f"content-encoding: {self._encoding[:40]!r}; send gzip, or the body as it is"
        await self._refuse(415, detail, reason="unsupported_encoding", headers={"Accept-Encoding": "gzip"})
        return True

    async def refuse_by_length(self) -> bool:
        if not self._length.isdigit():
            return False
        too_large = int(self._length[:20]) > self._left
        if too_large:
            await self._refuse(413, self._too_large(f"{int(self._length[:20]) / 1e6:.1f} MB"), reason="too_large")
        return too_large

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._patience_s())
        except TimeoutError:
            slow = f"nothing came for {_SILENCE_S:g} s, or less than {_MIN_BYTES_PER_S / 1000:g} kB a second"
            await self._refuse(408, f"request body: {slow}; send it again", reason="too_slow")
            raise _RefusedError from None
        self._left -= len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._gunzip is not None:
            message = {**message, "body": await self._open(self._gunzip, message.get("body", b""))}
        if self._left < 0:
            await self._refuse(413, self._too_large(f"more than {self._max_mb:g} MB"), reason="too_large")
            raise _RefusedError
        return message

    async def _open(self, gunzip: Gunzip, data: bytes) -> bytes:
        """What a part of a gzip body holds; the limit is about the larger of both."""
        try:
            opened = await run_in_threadpool(gunzip.open, data, is_last=self._complete)
        except NotGzipError as error:
            detail = f"request body: is said to be gzip and is not: {error}"
            await self._refuse(422, detail, reason="bad_message")
            raise _RefusedError from None
        self._opened += len(opened)
        self._left = self._most - max(self._most - self._left, self._opened)
        return opened

    def _patience_s(self) -> float:
        """Seconds until the next part must be here: a drop now and then is not enough."""
        earned_s = _SILENCE_S + (self._most - self._left) / _MIN_BYTES_PER_S
        return min(_SILENCE_S, max(0.0, self._began_at + earned_s - time.monotonic()))

    async def send(self, message: Message) -> None:
        if self._refused:
            return
        self._answering = True
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if not is_last or self._complete:
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        await self._drain()
        await self._send({"type": "http.response.body", "body": b""})

    async def _refuse(self, status: int, detail: str, *, reason: str, headers: Mapping[str, str] | None = None) -> None:
        if self._answering:
            self._complete = True
            return
        answer = problem(status, detail, reason=reason, headers={"Connection": "close", **(headers or {})})
        await answer(self._scope, self._receive, self.send)
        self._refused = True

    async def _drain(self) -> None:
        """Read on after the answer was sent: a connection closed meanwhile would take the answer with it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                while (await self._receive()).get("more_body", False):
                    pass
        self._complete = True

    def _too_large(self, what: str) -> str:
        return f"request body: {what}, at most {self._max_mb:g} MB are accepted; send fewer or smaller files"

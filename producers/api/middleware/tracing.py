"""A span for each request, and its trace for what it publishes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline.tracing import SpanKind, Tracer, carried_on, read_traceparent

#: What looks whether we live, and files that never change, are no work.
_NO_WORK: Final = ("/static/", "/healthz", "/readyz", "/metrics")


class Traced:
    """ASGI middleware. What came with a `traceparent` goes on in that trace."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_NO_WORK):
            await self._app(scope, receive, send)
            return
        status = 0

        async def with_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        cause = read_traceparent(Headers(scope=scope).get("traceparent"))
        with self._tracer.span(scope["method"], SpanKind.SERVER, cause) as span, carried_on(span.traceparent):
            await self._app(scope, receive, with_status)
            route: Any = scope.get("route")
            path = getattr(route, "path", None)
            span.name(f"{scope['method']} {path}" if path else scope["method"])
            span.note(
                http__request__method=scope["method"],
                http__route=path,
                http__response__status_code=status,
                error__type=str(status) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else None,
            )

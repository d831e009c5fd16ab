"""What every response carries: a request id to find it in the log, and what a browser may do with it."""

from __future__ import annotations

import logging
import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.api.middleware.prefix import is_framed
from producers.api.middleware.problems import problem
from sightline.ids import new_id

log = logging.getLogger(__name__)

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'none'",
}
#: Home Assistant shows the page in a frame of its own.
_FRAMED: Final = _ALWAYS | {
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": _ALWAYS["Content-Security-Policy"].replace("'none'", "'self'", 1),
}


class ResponseHeaders:
    """ASGI middleware, the outermost one. An error nobody expected is logged here and becomes a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else new_id()
        answering = False

        async def with_headers(message: Message) -> None:
            nonlocal answering
            if message["type"] == "http.response.start":
                answering = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in (_FRAMED if is_framed() else _ALWAYS).items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except ClientDisconnect:
            log.debug("request %s: the client left", request_id)
        except Exception:
            log.exception("unexpected error in %s %s, request %s", scope["method"], scope["path"], request_id)
            if answering:
                raise
            detail = f"an error of ours; the log of the API has the details under request {request_id}"
            await problem(500, detail, reason="bug")(scope, receive, with_headers)

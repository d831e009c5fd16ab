"""Errors as OpenAI's clients read them, so that what they show is our sentence."""

from __future__ import annotations

import json
from typing import Any, Final

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.api.middleware.problems import MEDIA_TYPE
from sightline.chat.errors import OpenAiError, error_body

_PATHS: Final = (
    *("/v1/chat/", "/v1/models", "/v1/audio/"),
    #: What OpenAI's clients ask too, and there is not.
    *("/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/images/", "/v1/moderations", "/v1/files"),
)
#: Of what has no word of its own.
_CODES: Final = {401: "invalid_api_key", 403: "insufficient_permissions"}
_OFFERED: Final = "/v1/chat/completions, /v1/audio/transcriptions and /v1/models"

_TEXTS: Final = {
    400: "The request is wrong; `message` names field, value and cure.",
    401: "No key, or one that is unknown or revoked.",
    403: "The role of the key may not do this.",
    404: "There is no such model.",
    408: "Nothing came for some time in the middle of the body.",
    410: "Somebody cancelled the job.",
    413: "The body is larger than `max_upload_mb`.",
    415: "The body is compressed in another way than gzip.",
    429: "Too many requests, or the backlog is full; `Retry-After` says when to try again.",
    500: "There is no answer: its job is among the dead letters.",
    503: "Redis, the frame store or the database does not answer; `Retry-After` says when to try again.",
}


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of an endpoint."""
    return {status: {"model": OpenAiError, "description": _TEXTS[status]} for status in statuses}


class OpenAiErrors:
    """ASGI middleware: what is a problem elsewhere is an error of this shape here, whoever found it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_PATHS):
            await self._app(scope, receive, send)
            return
        problem: Message | None = None
        body = bytearray()

        async def translate(message: Message) -> None:
            nonlocal problem
            if message["type"] == "http.response.start" and _is_problem(message):
                problem = message
            elif problem is None:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    await _as_error(scope["path"], problem, json.loads(body))(scope, receive, send)

        await self._app(scope, receive, translate)


def _is_problem(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type") == MEDIA_TYPE


def _as_error(path: str, start: Message, problem: dict[str, Any]) -> JSONResponse:
    status = 400 if start["status"] == 422 else start["status"]  # clients know 422 too, and other servers say 400
    is_plain = problem["type"] == "about:blank"
    code = _CODES.get(status) if is_plain else str(problem["type"]).rpartition(":")[2]
    detail = f"{path} is not offered here; use {_OFFERED}" if is_plain and status == 404 else problem["detail"]
    body = error_body(detail, status, code=code, param=problem.get("field"))
    kept = {
        name: value
        for name, value in Headers(raw=start["headers"]).items()
        if name not in ("content-type", "content-length")
    }
    if status == 500:  # five attempts were made: a sixth of the client's own accord helps nobody
        kept["X-Should-Retry"] = "false"
    return JSONResponse(body, status, kept)

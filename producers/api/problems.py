"""Every error as an RFC 9457 problem: what is wrong, with which field and value, and what to do."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from sightline.errors import (
    BacklogFullError,
    BadMessageError,
    PoisonError,
    RetryableError,
    SightlineError,
)
from storage.cameras import CameraExistsError, CameraNotFoundError

log = logging.getLogger(__name__)

_MEDIA_TYPE = "application/problem+json"
#: Looked through in order; the first class that fits gives the status.
_STATUS: tuple[tuple[type[SightlineError], int], ...] = (
    (BacklogFullError, 429),
    (RetryableError, 503),
    (CameraNotFoundError, 404),
    (CameraExistsError, 409),
    (PoisonError, 422),
    (SightlineError, 422),
)


class Problem(BaseModel):
    """The body of every answer that is no success."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None


#: For `responses=` of the routers, so that the OpenAPI document tells them.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        401: "No key, or not a valid one.",
        403: "The key's role may not do this.",
        404: "There is no such thing.",
        422: "The request is wrong; the text names field, value and cure.",
        429: "The backlog is full; `Retry-After` says when to try again.",
        503: "Redis or the database does not answer; `Retry-After` says when to try again.",
    }.items()
}


def problem(
    status: int, detail: str, *, reason: str = "", field: str | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """One problem as a response. `reason` is a stable word, made the problem's type."""
    body = {
        "type": f"urn:sightline:{reason}" if reason else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if field:
        body["field"] = field
    return JSONResponse(body, status_code=status, headers=headers, media_type=_MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    app.add_exception_handler(SightlineError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SightlineError)
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    headers = {"Retry-After": str(math.ceil(error.retry_after_s))} if isinstance(error, RetryableError) else None
    field = error.field if isinstance(error, BadMessageError) else None
    return problem(status, str(error), reason=error.reason, field=field, headers=headers)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    detail = f"{field}: {first['msg']} (got {first.get('input')!r:.80})"
    return problem(422, detail, reason="bad_request", field=field)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))


async def _bug(request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected error in %s %s", request.method, request.url.path, exc_info=error)
    return problem(500, "an error of ours; the log of the API has the details", reason="bug")

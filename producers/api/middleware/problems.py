"""Every error as an RFC 9457 problem: what is wrong, with which field and value, and what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException

from producers.replay import LetterNotReplayableError
from sightline.errors import (
    AnswerError,
    BacklogFullError,
    BadMessageError,
    JobCancelledError,
    RetryableError,
    SightlineError,
)
from sightline.redaction import redact_text
from storage.cameras import CameraExistsError, CameraNotFoundError
from storage.conversations.conversations import ConversationNotFoundError, ConversationOpenError
from storage.passages.plate_lists import PlateNotListedError
from storage.results.corrections import PassageNotFoundError
from storage.results.dead_letters import LetterNotFoundError
from storage.sinks.sinks import SinkExistsError, SinkNotFoundError

MEDIA_TYPE: Final = "application/problem+json"


class NotFoundError(SightlineError):
    """There is no such thing (any more). `what` is its kind, also the stable word."""

    def __init__(self, what: str, name: str, *, hint: str = "") -> None:
        super().__init__(f"there is no {what} {name!r}{hint and f'; {hint}'}")
        self.reason = f"{what.replace(' ', '_')}_not_found"


class UnsupportedTypeError(SightlineError):
    """The body is of a kind the endpoint does not read."""

    reason = "unsupported_media_type"


#: Looked through in order; the first class that fits gives the status.
_STATUS: Final[tuple[tuple[type[SightlineError], int], ...]] = (
    (BacklogFullError, 429),
    (RetryableError, 503),
    (NotFoundError, 404),
    (CameraNotFoundError, 404),
    (ConversationNotFoundError, 404),
    (LetterNotFoundError, 404),
    (PassageNotFoundError, 404),
    (PlateNotListedError, 404),
    (SinkNotFoundError, 404),
    (CameraExistsError, 409),
    (SinkExistsError, 409),
    (ConversationOpenError, 409),
    (LetterNotReplayableError, 409),
    (UnsupportedTypeError, 415),
    (JobCancelledError, 410),
    (AnswerError, 500),
    (SightlineError, 422),
)


class Problem(BaseModel):
    """The body of every answer that is no success. `type` ends in a stable word, `detail` is for people."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:sightline:bad_message",
                "title": "Unprocessable Entity",
                "status": 422,
                "detail": "pipeline: Input should be 'objects', 'text' or 'plates' (got 'cars')",
                "field": "pipeline",
            }
        }
    )

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None
    source_id: str | None = None  #: the source that is full; without one too much is open in total


_TEXTS: Final[dict[int, str]] = {
    401: "No key, or one that is unknown or revoked.",
    403: "The role of the key may not do this.",
    404: "There is no such thing.",
    409: "As things are it cannot be done: the name is taken, the letter has no picture, a question is open.",
    413: "The body is larger than `max_upload_mb`.",
    415: "The body is neither a form nor JSON nor an image, or compressed in another way than gzip.",
    422: "The request is wrong; `detail` names field, value and cure.",
    408: "Nothing came for some time in the middle of the body.",
    429: "Too many requests, or the backlog is full; `Retry-After` says when to try again.",
    503: "Redis, the frame store or the database does not answer; `Retry-After` says when to try again.",
}


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a router or endpoint, so that the OpenAPI document tells its errors."""
    body = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _TEXTS[status], "content": body} for status in statuses}


#: What any endpoint under `/v1` may answer.
ALWAYS: Final = described(401, 403, 422, 429, 503)


def problem(
    status: int,
    detail: str,
    *,
    reason: str = "",
    headers: Mapping[str, str] | None = None,
    **members: str | None,
) -> JSONResponse:
    """One problem as a response. `reason` is a stable word, made the problem's type; `members` are further ones."""
    body = {
        "type": f"urn:sightline:{reason}" if reason else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    body |= {name: value for name, value in members.items() if value}
    return JSONResponse(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    app.add_exception_handler(SightlineError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def refusal(error: ValidationError) -> BadMessageError:
    """pydantic's report on a body as one sentence about the first wrong field."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "body"
    return BadMessageError(_sentence(field, first), field=field)


async def _ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SightlineError)
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    headers = {"Retry-After": str(math.ceil(error.retry_after_s))} if isinstance(error, RetryableError) else {}
    headers |= getattr(error, "headers", {})
    members = {name: getattr(error, name, None) for name in ("field", "source_id")}
    return problem(status, redact_text(str(error)), reason=error.reason, headers=headers, **members)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    return problem(422, _sentence(field, first), reason="bad_request", field=field)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's answer to bytes that are no text at all
        return problem(
            422, "body: is no JSON in UTF-8; send it as application/json", reason="bad_message", field="body"
        )
    return problem(error.status_code, str(error.detail), headers=error.headers)


#: What a text must be like, in words, by its regular expression. Of others pydantic says it.
_FORMS: Final = {
    "^[a-z]{2}(-[a-z]{2})?$": "must be a country as in ISO 3166, in small letters, or a part of one: sk, us, us-tx",
    "^[0-9a-f]{16}$": "is no id of a dead letter; those have 16 of 0-9 and a-f",
    "^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$": "is no id; those have 8 to 64 letters, digits, - and _",
    "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$": "is no name; those have 1 to 64 letters, digits, - _ and .",
    "^[A-Za-z0-9_.-]{1,80}$": "is no id of a passage; those have 1 to 80 letters, digits, - _ and .",
    "^[a-z0-9][a-z0-9_.-]{0,31}$": "is no name of a list; those have 1 to 32 small letters, digits, - _ and .",
    r"^\d+(-\d+)?$": "is no id of an event; those are numbers, as 1700000000000-0",
}


def _sentence(field: str, first: Mapping[str, Any]) -> str:
    """Shows the wrong value where it is a plain one and no secret: of a whole body nobody learns anything."""
    value: object = first.get("input")
    plain = isinstance(value, str | int | float) and field.rpartition(".")[2] not in ("key", "url", "sub_url")
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch":
        message = _FORMS.get(first["ctx"]["pattern"], message)
    return f"{field}: {message}" + (f" (got {redact_text(repr(value))[:80]})" if plain else "")

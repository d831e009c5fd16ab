"""Errors in the shape that OpenAI's clients read."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from sightline.errors import JobCancelledError, PoisonError, RetryableError, SightlineError

_TYPES: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class OpenAiErrorBody(BaseModel):
    """`message` is for people; `code` is a stable word; `param` is the field that is wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class OpenAiError(BaseModel):
    """The body of every answer that is no success."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "error": {
                    "message": "messages: List should have at least 1 item after validation, not 0",
                    "type": "invalid_request_error",
                    "param": "messages",
                    "code": "bad_message",
                }
            }
        }
    )

    error: OpenAiErrorBody


def error_body(message: str, status: int, *, code: str | None, param: str | None = None) -> dict[str, Any]:
    """The body of an error, or the data of an event that ends a stream."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return OpenAiError(error=OpenAiErrorBody(message=message, type=kind, param=param, code=code)).model_dump()


def as_error(error: SightlineError) -> tuple[int, dict[str, Any]]:
    """The status of an error, and its body."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return status, error_body(str(error), status, code=error.reason, param=getattr(error, "field", None))


_STATUS: Final = ((PoisonError, 400), (JobCancelledError, 410), (RetryableError, 503))

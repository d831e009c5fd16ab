"""What it means where a server does not answer as it should: wait for it, refuse the question, or give it up.

- It is away, or takes no more: the question waits, however long that takes.
- It refuses the question: whoever asked is told.
- It fails on it, or what answers is no such server: asked again some times, then a dead letter that says what came.
"""

from __future__ import annotations

from typing import Any, Final

import httpx

from sightline.errors import PoisonError, RetryableError
from workers.chat.engine import BadQuestionError

#: The server is away, or takes no more; whatever was asked.
_LATER: Final = frozenset((408, 425, 429, 502, 503, 504))
KEY_REFUSED: Final = frozenset((401, 403))
_SHOWN_CHARS: Final = 60


class TryAgainError(Exception):
    """Nothing was said yet. `is_outage`: the server is away; else it fails, or it is none."""

    def __init__(self, why: str, *, after_s: float | None = None, is_outage: bool = True) -> None:
        super().__init__(why)
        self.after_s = after_s
        self.is_outage = is_outage


class ServerFailedError(PoisonError):
    """It failed each time it was asked. The dead letter may be replayed."""

    reason = "model_failed"


class TooLongError(BadQuestionError):
    """It does not fit the model's context."""


def refusal_of(response: httpx.Response, url: str) -> Exception:
    """What a response means that was read, and is no success."""
    status, (text, code) = response.status_code, _error_of(response)
    after_s = _seconds(response.headers.get("Retry-After"))
    if status in _LATER:
        return TryAgainError(f"{url}: {status} {text}", after_s=after_s)
    if status in KEY_REFUSED:
        return RetryableError(f"SIGHTLINE_CHAT_API_KEY: {url} refuses it: {status} {text}", retry_after_s=5)
    if response.is_redirect:
        to = response.headers.get("Location", "elsewhere")[:200]
        return ServerFailedError(f"SIGHTLINE_CHAT_URL: {url} redirects to {to}; give the address that it leads to")
    if status >= 500:
        return TryAgainError(f"{url} failed: {status} {text}", after_s=after_s, is_outage=False)
    if status == 405 or (status == 404 and not _is_of_openai(response)):
        return ServerFailedError(no_server(url, f"{status} {text}"))
    if code == "context_length_exceeded" or "context length" in text:
        return TooLongError(f"messages: {text}")
    return BadQuestionError(f"{url} refuses it: {status} {text}")


def no_stream(response: httpx.Response, url: str) -> TryAgainError:
    """What a success means that was read, and is neither a stream nor a completion."""
    kind = response.headers.get("Content-Type", "").partition(";")[0] or "no content type"
    body = " ".join(response.text[:1000].split())[:_SHOWN_CHARS]
    return TryAgainError(no_server(url, f"{kind}, {body!r}" if body else f"{kind}, and an empty body"), is_outage=False)


def no_server(url: str, came: str) -> str:
    return (
        f"SIGHTLINE_CHAT_URL: {url} does not answer as a server of language models, but with {came}: another server "
        "listens there, or a proxy answers in its place; give an address that speaks OpenAI's language, mostly .../v1"
    )


def _error_of(response: httpx.Response) -> tuple[str, str]:
    """What the server says is wrong, and its word for it."""
    try:
        found = response.json()
        error = found.get("error", found)
        return str(error.get("message") or found)[:300], str(error.get("code"))
    except (ValueError, AttributeError):
        return " ".join(response.text[:1000].split())[:300], ""


def _is_of_openai(response: httpx.Response) -> bool:
    """Whether the error has their shape: then the address is right, and what is not found is the model."""
    try:
        found: Any = response.json()
    except ValueError:
        return False
    return isinstance(found, dict) and ("error" in found or found.get("object") == "error")


def _seconds(value: str | None) -> float | None:
    try:
        return min(60.0, max(0.05, float(value))) if value else None
    except ValueError:
        return None

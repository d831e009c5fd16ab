"""The CLI's way to the HTTP API: one function, errors mapped to ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from sightline.client.whereabouts import say_where
from sightline.errors import BadMessageError, BrokerUnavailableError
from sightline.settings import Settings

_TIMEOUT_S = 30.0
#: In one answer of the API, at most.
PAGE = 1000


def call_api(
    settings: Settings, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None
) -> Any:
    """Call `/v1<path>` and give the decoded answer (None for an empty one).

    Raises:
        BrokerUnavailableError: nothing answers at `api_url`, or it says to try later.
        BadMessageError: the API refused the request; its explanation is the text.
    """
    response = _ask(settings, method, path, query=query, body=body)
    return response.json() if response.content else None


def list_items(settings: Settings, path: str, query: Mapping[str, Any], *, limit: int) -> Iterator[dict[str, Any]]:
    """The first `limit` items of the list `/v1<path>`, page by page, each page asked for when it is needed.

    Raises as `call_api` does.
    """
    cursor: str | None = None
    while limit > 0:
        asked = {**query, "limit": min(limit, PAGE), "cursor": cursor}
        page: dict[str, Any] = call_api(settings, "GET", path, query=asked)
        yield from page["items"]
        limit -= len(page["items"])
        cursor = page.get("next_cursor")
        if cursor is None:
            return


def fetch(settings: Settings, path: str, *, query: Mapping[str, Any] | None = None) -> bytes:
    """The bytes that `/v1<path>` gives. Raises as `call_api` does."""
    return _ask(settings, "GET", path, query=query, body=None).content


def _ask(settings: Settings, method: str, path: str, *, query: Mapping[str, Any] | None, body: Any) -> httpx.Response:
    key = settings.api_key.get_secret_value()
    try:
        response = httpx.request(
            method,
            f"{settings.api_url.rstrip('/')}/v1{path}",
            params={name: value for name, value in (query or {}).items() if value is not None},
            json=body,
            headers={"X-API-Key": key} if key else {},
            timeout=_TIMEOUT_S,
            trust_env=False,
        )
    except httpx.HTTPError as error:
        raise BrokerUnavailableError(
            f"no answer from {settings.api_url}: {error}; {say_where(settings, 'API_URL')}"
        ) from error
    if response.is_success:
        return response
    raise _refused(response)


def _refused(response: httpx.Response) -> Exception:
    try:
        problem: dict[str, Any] = response.json()
    except ValueError:
        problem = {}
    text = problem.get("detail") or problem.get("title") or f"HTTP {response.status_code}"
    if response.status_code in (401, 403):
        text = f"{text} (set SIGHTLINE_API_KEY)"
    if response.status_code in (429, 502, 503, 504):
        return BrokerUnavailableError(str(text))
    return BadMessageError(str(text))

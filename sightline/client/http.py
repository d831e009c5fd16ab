"""The way to the HTTP API, of the CLI and the Python client: one function, errors mapped to ours."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import IO, Any, Final
from urllib.parse import urlsplit

import httpx

from sightline.client.whereabouts import say_where
from sightline.errors import (
    BacklogFullError,
    BadImageError,
    BadMessageError,
    BrokerUnavailableError,
    SightlineError,
    SourceError,
    StoreUnavailableError,
    TokensUsedError,
    UnsafeUrlError,
)
from sightline.redaction import redact_text, redact_url
from sightline.settings import PlaceSettings, Settings

_TIMEOUT_S: Final = 30.0
_DOWNLOAD_S: Final = 600.0  #: without a byte: a workbook begins when its last row is written
#: In one answer of the API, at most.
PAGE: Final = 1000
_TRY_LATER: Final = (408, 429, 502, 503, 504)
#: By the stable word of their problem.
_REFUSALS: Final = {kind.reason: kind for kind in (BadImageError, UnsafeUrlError, SourceError)}


class NotThereError(BadMessageError):
    """The API has nothing of that id."""


class ApiClient:
    """Keeps its connections. Safe to use from several threads, not across a fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = httpx.Client(**_options(settings))

    def call(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, waits_s: float = 0, **body: Any
    ) -> Any:
        """Call `/v1<path>` and give the decoded answer (None for an empty one).

        Args:
            waits_s: how long the API may take in addition, because it was asked to wait.
            body: as httpx takes it: `json`, or `files` and `data`.

        Raises:
            BrokerUnavailableError: nothing answers at `api_url`, or it says to try later.
            BacklogFullError, StoreUnavailableError: likewise, for the reason that it gives.
            BadImageError, UnsafeUrlError, SourceError: an image is refused.
            BadMessageError: the request is refused; the API's explanation is the text.
        """
        return _decoded(self.ask(method, path, query=query, waits_s=waits_s, **body))

    def ask(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, waits_s: float = 0, **body: Any
    ) -> httpx.Response:
        """The answer as it came. Raises as `call` does."""
        timeout = httpx.Timeout(_TIMEOUT_S + waits_s)
        try:
            response = self._http.request(method, path, params=_given(query), timeout=timeout, **body)
        except httpx.HTTPError as error:
            raise _no_answer(self._settings, error) from error
        return _accepted(self._settings, response)

    def items(self, path: str, query: Mapping[str, Any], *, limit: int) -> Iterator[dict[str, Any]]:
        """The first `limit` items of the list `/v1<path>`, page by page, each page asked for when it is needed.

        Raises as `call` does.
        """
        cursor: str | None = None
        while limit > 0:
            asked = {**query, "limit": min(limit, PAGE), "cursor": cursor}
            page: dict[str, Any] = self.call("GET", path, query=asked)
            yield from page["items"]
            limit -= len(page["items"])
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def events(self, path: str, query: Mapping[str, Any], *, silent_s: float) -> Iterator[str]:
        """The data of each server-sent event of `/v1<path>`. Ends after so much silence. Raises as `call` does."""
        try:
            with self._http.stream("GET", path, params=_given(query), timeout=httpx.Timeout(silent_s)) as response:
                if not response.is_success:
                    response.read()
                for line in _accepted(self._settings, response).iter_lines():
                    if line.startswith("data: "):
                        yield line.removeprefix("data: ")
        except httpx.ReadTimeout:
            return
        except httpx.HTTPError as error:
            raise _no_answer(self._settings, error) from error

    def close(self) -> None:
        self._http.close()

    def __del__(self) -> None:
        """A job that was unpickled has a client that nobody can close."""
        if hasattr(self, "_http"):
            self._http.close()


class AsyncApiClient:
    """The same for asyncio, as far as somebody waits."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = httpx.AsyncClient(**_options(settings))

    async def call(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, waits_s: float = 0) -> Any:
        """See `ApiClient.call`."""
        try:
            response = await self._http.request(
                method, path, params=_given(query), timeout=httpx.Timeout(_TIMEOUT_S + waits_s)
            )
        except httpx.HTTPError as error:
            raise _no_answer(self._settings, error) from error
        return _decoded(_accepted(self._settings, response))

    async def events(self, path: str, query: Mapping[str, Any], *, silent_s: float) -> AsyncIterator[str]:
        """See `ApiClient.events`."""
        try:
            asked = self._http.stream("GET", path, params=_given(query), timeout=httpx.Timeout(silent_s))
            async with asked as response:
                if not response.is_success:
                    await response.aread()
                async for line in _accepted(self._settings, response).aiter_lines():
                    if line.startswith("data: "):
                        yield line.removeprefix("data: ")
        except httpx.ReadTimeout:
            return
        except httpx.HTTPError as error:
            raise _no_answer(self._settings, error) from error

    async def close(self) -> None:
        await self._http.aclose()


def call_api(
    settings: Settings,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Any = None,
    waits_s: float = 0,
) -> Any:
    """One call of a command. Raises as `ApiClient.call` does."""
    client = ApiClient(settings)
    try:
        return client.call(method, path, query=query, json=body, waits_s=waits_s)
    finally:
        client.close()


def list_items(settings: Settings, path: str, query: Mapping[str, Any], *, limit: int) -> Iterator[dict[str, Any]]:
    """See `ApiClient.items`."""
    client = ApiClient(settings)
    try:
        yield from client.items(path, query, limit=limit)
    finally:
        client.close()


def fetch(settings: Settings, path: str, *, query: Mapping[str, Any] | None = None) -> bytes:
    """The bytes that `/v1<path>` gives. Raises as `ApiClient.call` does."""
    client = ApiClient(settings)
    try:
        return client.ask("GET", path, query=query).content
    finally:
        client.close()


def download(settings: Settings, path: str, query: Mapping[str, Any], to: IO[bytes]) -> None:
    """Write what `/v1<path>` gives, as it comes. Raises as `ApiClient.call` does."""
    try:
        with (
            httpx.Client(**_options(settings)) as client,
            client.stream("GET", path, params=_given(query), timeout=httpx.Timeout(_DOWNLOAD_S)) as response,
        ):
            if not response.is_success:
                response.read()
            for chunk in _accepted(settings, response).iter_bytes():
                to.write(chunk)
    except httpx.HTTPError as error:
        raise _no_answer(settings, error) from error


def check_address(url: str) -> str:
    """The host in the address of an API. Raises BadMessageError: it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadMessageError(
            f"url: {url!r} is no address of an API; it begins with http:// or https://, as http://127.0.0.1:8080",
            field="url",
        )
    return parts.hostname


def _options(settings: PlaceSettings) -> dict[str, Any]:
    key = settings.api_key.get_secret_value()
    return {
        "base_url": f"{settings.api_url.rstrip('/')}/v1",
        "headers": {"X-API-Key": key} if key else {},
        # Proxies and certificates that the environment names are for what is elsewhere.
        "trust_env": not _is_here(check_address(settings.api_url)),
    }


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _given(query: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (query or {}).items() if value is not None}


def _decoded(response: httpx.Response) -> Any:
    return response.json() if response.content else None


def _no_answer(settings: Settings, error: httpx.HTTPError) -> BrokerUnavailableError:
    said = str(error) or type(error).__name__
    where = redact_url(settings.api_url)
    return BrokerUnavailableError(f"no answer from {where}: {redact_text(said)}; {say_where(settings, 'API_URL')}")


def _accepted(settings: PlaceSettings, response: httpx.Response) -> httpx.Response:
    """The answer, if it is none of a refusal and comes from a Sightline."""
    if response.is_redirect:
        where, to = (redact_url(url) for url in (settings.api_url, response.headers.get("location", "elsewhere")))
        raise BadMessageError(f"url: {where} redirects to {to[:200]}; give the address it leads to", field="url")
    if response.is_success:
        return response
    raise _refused(response)


def _refused(response: httpx.Response) -> SightlineError:
    try:
        problem: dict[str, Any] = response.json()
    except ValueError:
        problem = {}
    text = str(problem.get("detail") or problem.get("title") or f"HTTP {response.status_code} of {response.url}")
    reason = str(problem.get("type", "")).rpartition(":")[2]
    if response.status_code in (401, 403):
        return BadMessageError(f"{text} (set SIGHTLINE_API_KEY)", field="api_key")
    if response.status_code in _TRY_LATER:
        after_s = _seconds(response.headers.get("retry-after"))
        if reason == TokensUsedError.reason:
            return TokensUsedError(text, retry_after_s=after_s)
        if reason == BacklogFullError.reason:
            return BacklogFullError(text, source_id=problem.get("source_id"), retry_after_s=after_s)
        passing = StoreUnavailableError if reason == StoreUnavailableError.reason else BrokerUnavailableError
        return passing(text, retry_after_s=after_s)
    if reason in _REFUSALS:
        return _REFUSALS[reason](text)
    kind = NotThereError if response.status_code == 404 and reason.endswith("_not_found") else BadMessageError
    return kind(text, field=str(problem.get("field", "")))


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() else 1.0

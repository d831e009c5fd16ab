"""Fetching images by URL without becoming a way into somebody's network (SSRF).

A name is resolved once, every address it has must be public, and the connection goes to one of these very addresses.
Redirects are followed by hand through the same checks. No proxy, no credentials, bounded in time and size.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import Sequence
from typing import Final

import httpx

from producers.api.uploads.addresses import Address, is_allowed, parse_address
from sightline.errors import SourceError, UnsafeUrlError
from sightline.redaction import redact_text, redact_url
from sightline.settings import AcceptedSettings, ApiSettings, Settings

_MAX_REDIRECTS: Final = 3
_AT_ONCE: Final = 8
_HEADERS: Final = {"User-Agent": "Sightline", "Accept": "image/*", "Accept-Encoding": "identity"}


async def fetch_images(urls: Sequence[str], settings: Settings) -> list[bytes]:
    """The bytes behind http(s) URLs, in their order; the first failure is the whole request's.

    Raises:
        UnsafeUrlError: a URL, or one it redirects to, must not be fetched.
        SourceError: it cannot be had: no answer in time, an error, more bytes than `max_image_mb` for one or
            `max_upload_mb` for all.
    """
    turn = asyncio.Semaphore(_AT_ONCE)
    budget = _Budget(settings)

    async def fetch(url: str) -> bytes:
        async with turn:
            return await _fetch(url, settings, budget)

    tasks = [asyncio.ensure_future(fetch(url)) for url in urls]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


class _Budget:
    """How many bytes may still come, for all URLs of a request together."""

    def __init__(self, settings: AcceptedSettings) -> None:
        self._max_mb = settings.max_upload_mb
        self._left = int(self._max_mb * 1_000_000)

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise SourceError(f"urls: more than {self._max_mb:g} MB together; send fewer in a request")


async def _fetch(url: str, settings: Settings, budget: _Budget) -> bytes:
    shown = redact_url(url)
    try:
        async with asyncio.timeout(settings.url_fetch_timeout_s):
            for _ in range(_MAX_REDIRECTS + 1):
                answer = await _fetch_once(_parse(url), settings, budget)
                if isinstance(answer, bytes):
                    return answer
                url = str(httpx.URL(url).join(answer))
    except TimeoutError as error:
        raise SourceError(f"url {shown}: no whole answer within {settings.url_fetch_timeout_s:g} s") from error
    except (httpx.InvalidURL, ValueError) as error:  # the URL itself, or what it redirects to, is none
        raise UnsafeUrlError(f"url {shown!r}: {redact_text(str(error))}") from error
    except httpx.HTTPError as error:
        raise SourceError(f"url {shown}: no answer ({type(error).__name__})") from error
    raise SourceError(f"url {shown}: more than {_MAX_REDIRECTS} redirects")


async def _fetch_once(url: httpx.URL, settings: Settings, budget: _Budget) -> bytes | str:
    """The body, or where a redirect leads. The addresses of the host are tried in turn."""
    addresses = await _resolve(url, settings)
    for address in addresses[:-1]:
        try:
            return await _fetch_from(address, url, settings, budget)
        except httpx.ConnectError:
            continue
    return await _fetch_from(addresses[-1], url, settings, budget)


async def _fetch_from(address: Address, url: httpx.URL, settings: Settings, budget: _Budget) -> bytes | str:
    target = url.copy_with(host=str(address), fragment=None)
    headers = {**_HEADERS, "Host": url.netloc.decode("ascii")}
    client = httpx.AsyncClient(
        verify=_tls(), trust_env=False, follow_redirects=False, timeout=settings.url_fetch_timeout_s
    )
    extensions = {"sni_hostname": url.raw_host.decode("ascii")} if url.scheme == "https" else {}
    async with client, client.stream("GET", target, headers=headers, extensions=extensions) as response:
        if response.has_redirect_location:
            return response.headers["location"]
        if response.status_code != 200:
            raise SourceError(f"url {redact_url(str(url))}: answered {response.status_code}, not 200")
        return await _read(response, url, settings, budget)


async def _read(response: httpx.Response, url: httpx.URL, settings: AcceptedSettings, budget: _Budget) -> bytes:
    """The body as it is sent, never decompressed."""
    most = int(settings.max_image_mb * 1_000_000)
    announced = response.headers.get("content-length", "")
    body = bytearray()
    parts = response.aiter_raw()
    while not (announced.isdecimal() and int(announced[:20]) > most) and len(body) <= most:
        part = await anext(parts, None)
        if part is None:
            return bytes(body)
        budget.take(len(part))
        body += part
    raise SourceError(f"url {redact_url(str(url))}: more than {settings.max_image_mb:g} MB, the most for one image")


def _parse(text: str) -> httpx.URL:
    """One parser judges and connects, so that no two can disagree about the host."""
    shown = redact_url(text)
    url = httpx.URL(text)
    if url.scheme not in ("http", "https") or not url.raw_host or (url.port or 0) > 65535:
        raise UnsafeUrlError(f"url {shown!r}: only http:// and https:// URLs are fetched")
    if url.userinfo:
        raise UnsafeUrlError(f"url {shown!r}: credentials in URLs are not accepted")
    return url


async def _resolve(url: httpx.URL, settings: ApiSettings) -> list[Address]:
    """The addresses of the host. All must be allowed, so that luck decides nothing."""
    host = url.raw_host.decode("ascii")
    loop = asyncio.get_running_loop()
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceError(f"url host {host!r}: cannot be resolved") from error
    addresses = list(dict.fromkeys(parse_address(str(entry[4][0])) for entry in found))
    for address in addresses:
        if not is_allowed(address, private=settings.allow_private_urls):
            raise UnsafeUrlError(
                f"url host {host!r}: its address {address} is not public; upload the image instead, "
                "or set SIGHTLINE_ALLOW_PRIVATE_URLS for addresses of your own network (never of this machine)"
            )
    return addresses


@functools.cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates takes longer than most fetches."""
    return httpx.create_ssl_context(trust_env=False)

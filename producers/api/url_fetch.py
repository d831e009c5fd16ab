"""Fetching images by URL without becoming a way into somebody's network (SSRF).

A name is resolved once, every address it has must be public, and the connection goes to that very address. Redirects
are followed by hand through the same checks. No proxy, no credentials, bounded in time and size.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from sightline.errors import SourceError, UnsafeUrlError
from sightline.redaction import redact_url
from sightline.settings import Settings

_MAX_REDIRECTS = 3
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


async def fetch_image(url: str, settings: Settings) -> bytes:
    """The bytes behind an http(s) URL.

    Raises:
        UnsafeUrlError: the URL, or one it redirects to, must not be fetched.
        SourceError: it cannot be had: no answer in time, an error, or more bytes than `max_image_mb`.
    """
    try:
        async with asyncio.timeout(settings.url_fetch_timeout_s):
            for _ in range(_MAX_REDIRECTS + 1):
                answer = await _fetch_once(url, settings)
                if isinstance(answer, bytes):
                    return answer
                url = urljoin(url, answer)
    except TimeoutError as error:
        raise SourceError(f"url {redact_url(url)}: no answer in {settings.url_fetch_timeout_s:g} s") from error
    except httpx.HTTPError as error:
        raise SourceError(f"url {redact_url(url)}: {type(error).__name__}") from error
    raise SourceError(f"url {redact_url(url)}: more than {_MAX_REDIRECTS} redirects")


async def _fetch_once(url: str, settings: Settings) -> bytes | str:
    """The body, or where a redirect leads."""
    parts = _checked(url)
    host = parts.hostname or ""
    address = await _resolve(parts, settings)
    default_port = 443 if parts.scheme == "https" else 80
    port = parts.port or default_port
    target = httpx.URL(url).copy_with(host=str(address))
    header = host if port == default_port else f"{host}:{port}"
    limit = int(settings.max_image_mb * 1_000_000)
    async with httpx.AsyncClient(
        trust_env=False, follow_redirects=False, timeout=settings.url_fetch_timeout_s
    ) as client:
        extensions = {"sni_hostname": host} if parts.scheme == "https" else {}
        async with client.stream("GET", target, headers={"Host": header}, extensions=extensions) as response:
            if response.is_redirect:
                return response.headers["location"]
            if not response.is_success:
                raise SourceError(f"url {redact_url(url)}: answered {response.status_code}")
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > limit:
                    raise SourceError(f"url {redact_url(url)}: more than {settings.max_image_mb:g} MB")
            return bytes(body)


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UnsafeUrlError(f"url {redact_url(url)!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UnsafeUrlError(f"url {redact_url(url)!r}: only http:// and https:// URLs are fetched")
    if parts.username or parts.password:
        raise UnsafeUrlError(f"url {redact_url(url)!r}: credentials in URLs are not accepted")
    return parts


async def _resolve(parts: SplitResult, settings: Settings) -> Address:
    """The address to connect to; all that the name has must be allowed, so that luck decides nothing."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceError(f"url host {parts.hostname!r}: cannot be resolved") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not is_allowed(address, private=settings.allow_private_urls):
            raise UnsafeUrlError(
                f"url host {parts.hostname!r}: its address {address} is not public; upload the image instead"
            )
    return addresses[0]


def is_allowed(address: Address, *, private: bool) -> bool:
    """Whether an address may be connected to. Loopback, link-local (cloud metadata) and multicast never."""
    for inner in _embedded(address):
        if inner.is_loopback or inner.is_link_local or inner.is_multicast or inner.is_unspecified or inner.is_reserved:
            return False
        if inner in _SHARED if inner.version == 4 else False:
            return False
        if not inner.is_global and not (private and inner.is_private):
            return False
    return True


def _embedded(address: Address) -> list[Address]:
    """The address and the IPv4 one it may carry: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    carried = [address.sixtofour] if address.sixtofour else list(address.teredo or ())
    return [address, *carried]

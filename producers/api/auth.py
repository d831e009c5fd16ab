"""Who may do what: API keys with roles, and a read-only look from the same machine.

A key comes as `X-API-Key`, as `Authorization: Bearer`, or, for reading in a browser, as a cookie set by `/login`.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import HTTPException, Request
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.concurrency import run_in_threadpool

from producers.api.services import Services, get_services
from storage.keys import Role, check_key

COOKIE: Final = "sightline_key"
_RANK: Final = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}
#: A checked key is trusted for so long; a revoked one works no longer than this.
_TRUSTED_S: Final = 5.0
_READING: Final = frozenset({"GET", "HEAD"})
#: What proxies add. A request that came through one may come from anywhere.
_PROXIED: Final = ("forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
#: `host` or `host:port` and nothing else: whatever is unusual is not trusted.
_HOST: Final = re.compile(r"(localhost|[0-9.]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="sightline"'}

#: Declared for the OpenAPI document; the checks are below.
SCHEMES: Final = (
    APIKeyHeader(name="X-API-Key", auto_error=False, description="`python -m storage create-key NAME ROLE` makes one."),
    HTTPBearer(auto_error=False, description="The same key as a bearer token."),
)


class KeyChecker:
    """Roles of keys, with a short memory. Only valid keys are remembered."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Role]] = {}

    def role_of(self, services: Services, key: str) -> Role | None:
        now = time.monotonic()
        checked_at, role = self._known.get(key, (-_TRUSTED_S, Role.VIEWER))
        if now - checked_at < _TRUSTED_S:
            return role
        self._known.pop(key, None)
        found = check_key(services.database, key)
        if found is None:
            return None
        if len(self._known) > 1000:
            self._known.clear()
        self._known[key] = (now, found.role)
        return found.role


def require(role: Role) -> Callable[[Request], Awaitable[None]]:
    """A dependency that lets pass whoever has this role or a higher one."""

    async def check(request: Request) -> None:
        held = await role_of(request)
        if _RANK[held] < _RANK[role]:
            raise HTTPException(403, f"API key: its role is {held}, this needs {role}")

    return check


async def role_of(request: Request) -> Role:
    """What whoever asks may do. Raises a 401 where that is nothing."""
    services = get_services(request)
    key = _key_of(request)
    if key:
        checker: KeyChecker = request.app.state.keys
        held = await run_in_threadpool(checker.role_of, services, key)
        if held is None:
            raise HTTPException(401, "API key: unknown or revoked", _CHALLENGE)
        return held
    if request.method in _READING and _is_local_look(request, services):
        return Role.VIEWER
    raise HTTPException(
        401,
        "API key: none given; send it as X-API-Key or Authorization: Bearer "
        "(`python -m storage create-key NAME operator` makes one)",
        _CHALLENGE,
    )


def _key_of(request: Request) -> str:
    header = request.headers.get("x-api-key", "")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if header or scheme.lower() == "bearer":
        return header or token.strip()
    # Other sites can make a browser send the cookie: it is good for reading only.
    return request.cookies.get(COOKIE, "") if request.method in _READING else ""


def _is_local_look(request: Request, services: Services) -> bool:
    """From this machine, to a server bound to it alone, through no proxy and by no name somebody else controls."""
    host = _HOST.fullmatch(request.headers.get("host", ""))
    return (
        services.settings.loopback_viewer
        and not any(name in request.headers for name in _PROXIED)
        and is_loopback(services.settings.api_host)
        and request.client is not None
        and is_loopback(request.client.host)
        and host is not None
        and is_loopback(host[1])
    )


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback

"""Who may do what: API keys with roles, and a read-only look from the same machine.

A key comes as `X-API-Key`, as `Authorization: Bearer`, or, for reading in a browser, as a cookie set by `/login`.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import HTTPException, Request
from fastapi.security import APIKeyHeader
from starlette.concurrency import run_in_threadpool

from producers.api.services import Services, get_services
from storage.keys import Role, check_key

COOKIE: Final = "sightline_key"
_RANK: Final = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}
#: A checked key is trusted for so long; a revoked one works no longer than this.
_TRUSTED_S: Final = 5.0
_READING: Final = frozenset({"GET", "HEAD"})

#: Declared for the OpenAPI document; the checks are below.
key_header = APIKeyHeader(
    name="X-API-Key", auto_error=False, description="A key made with `python -m storage create-key`."
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
        services = get_services(request)
        key = _key_of(request)
        if key:
            checker: KeyChecker = request.app.state.keys
            held = await run_in_threadpool(checker.role_of, services, key)
            if held is None:
                raise HTTPException(401, "API key: unknown or revoked", {"WWW-Authenticate": "Bearer"})
        elif request.method in _READING and _is_local_look(request, services):
            held = Role.VIEWER
        else:
            raise HTTPException(
                401,
                "API key: none given; send it as X-API-Key or Authorization: Bearer",
                {"WWW-Authenticate": "Bearer"},
            )
        if _RANK[held] < _RANK[role]:
            raise HTTPException(403, f"API key: its role is {held}, this needs {role}")

    return check


def _key_of(request: Request) -> str:
    header = request.headers.get("x-api-key", "")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if header or scheme.lower() == "bearer":
        return header or token.strip()
    # Other sites can make a browser send the cookie: it is good for reading only.
    return request.cookies.get(COOKIE, "") if request.method in _READING else ""


def _is_local_look(request: Request, services: Services) -> bool:
    """From this machine, to a server bound to it alone, through no proxy and by no name somebody else controls."""
    proxied = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    return (
        services.settings.loopback_viewer
        and not proxied
        and is_loopback(services.settings.api_host)
        and request.client is not None
        and is_loopback(request.client.host)
        and is_loopback(request.url.hostname or "")
    )


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False

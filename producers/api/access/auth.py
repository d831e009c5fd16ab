"""Who may do what: API keys with roles, and a read-only look from the same machine.

A key comes as `X-API-Key` or `Authorization: Bearer`. A browser has a session instead, opened by `/login`: its cookie
is good for reading, and for the forms of the page; it ends by itself, and is not the key.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fastapi import HTTPException, Request
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from producers.api.access.origin import is_from_here, is_loopback
from producers.api.services import ApiServices, get_services
from storage.access.keys import ApiKey, Role, check_key, check_session
from storage.database.engine import Database

COOKIE: Final = "sightline_session"
_RANK: Final = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}
#: A checked key is trusted for so long; a revoked one works no longer than this.
_TRUSTED_S: Final = 5.0
_READING: Final = frozenset({"GET", "HEAD"})
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="sightline"'}

#: Declared for the OpenAPI document; the checks are below.
SCHEMES: Final = (
    APIKeyHeader(name="X-API-Key", auto_error=False, description="`python -m storage create-key NAME ROLE` makes one."),
    HTTPBearer(auto_error=False, description="The same key as a bearer token."),
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a key by its id and name, or somebody on this machine without one."""

    name: str
    role: Role
    key_id: str | None = None
    tokens_per_minute: int | None = None  #: of its own; None: as the setting says


class KeyChecker:
    """Whose a key or session is, with a short memory. Only valid ones are remembered, by their hash."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[float, Caller]] = {}

    def caller_of(self, services: ApiServices, key: str) -> Caller | None:
        return self._find(services, b"key", key, check_key)

    def remembered(self, key: str) -> Caller | None:
        """Whose key this is, if that was asked a moment ago: without a look into the database, which needs a thread."""
        return self._remembered(b"key", key)

    def caller_of_session(self, services: ApiServices, token: str) -> Caller | None:
        return self._find(services, b"session", token, check_session)

    def forget(self) -> None:
        self._known.clear()

    def _find(
        self, services: ApiServices, kind: bytes, secret: str, check: Callable[[Database, str], ApiKey | None]
    ) -> Caller | None:
        if (caller := self._remembered(kind, secret)) is not None:
            return caller
        now, mark = time.monotonic(), _mark(kind, secret)
        self._known.pop(mark, None)
        found = check(services.database, secret)
        if found is None:
            return None
        if len(self._known) > 1000:
            self._known.clear()
        caller = Caller(found.name, found.role, found.key_id, found.tokens_per_minute)
        self._known[mark] = (now, caller)
        return caller

    def _remembered(self, kind: bytes, secret: str) -> Caller | None:
        checked_at, caller = self._known.get(_mark(kind, secret), (-_TRUSTED_S, None))
        return caller if time.monotonic() - checked_at < _TRUSTED_S else None


def _mark(kind: bytes, secret: str) -> bytes:
    """Looked up by hash: how long that takes tells nothing about the secret, and no dump of memory holds it."""
    return hashlib.sha256(kind + secret.encode("utf-8", "replace")).digest()


def require(role: Role) -> Callable[[Request], Awaitable[None]]:
    """A dependency that lets pass whoever has this role or a higher one."""

    async def check(request: Request) -> None:
        held = (await caller_of(request)).role
        if not may(request, role):
            raise HTTPException(403, f"API key: its role is {held}, this needs {role}")

    return check


def may(request: Request, role: Role) -> bool:
    """Whether the caller, who is known, has this role or a higher one."""
    caller: Caller = request.state.caller
    return _RANK[caller.role] >= _RANK[role]


async def caller_of(request: Request) -> Caller:
    """Return the caller. Raises a 401 if unauthenticated."""
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        known = request.state.caller = await _find_caller(request)
    return known


def form_mark(request: Request) -> str:
    """What forms of this session's pages bring along; empty without a session. Other sites can not read it."""
    token = request.cookies.get(COOKIE, "")
    return _mark(b"form", token).hex() if token else ""


async def take_form(request: Request) -> None:
    """Let a session send this form: other sites can make a browser send the cookie, but they do not know the mark.

    Without a session whoever sends it shows a key, as anywhere. Raises a 401 or 403.
    """
    mark = form_mark(request)
    if not mark or key_of(request.headers):
        return
    given = (await request.form()).get("mark")
    if not (isinstance(given, str) and hmac.compare_digest(given.encode(), mark.encode())):
        raise HTTPException(403, "form: it is of another session; load its page again")
    checker: KeyChecker = request.app.state.keys
    caller = await run_in_threadpool(checker.caller_of_session, get_services(request), request.cookies[COOKIE])
    if caller is None:
        raise HTTPException(401, "session: it has ended; log in again", _CHALLENGE)
    request.state.caller = caller


async def _find_caller(request: Request) -> Caller:
    services = get_services(request)
    checker: KeyChecker = request.app.state.keys
    if key := key_of(request.headers):
        found = checker.remembered(key) or await run_in_threadpool(checker.caller_of, services, key)
    # Other sites can make a browser send the cookie: it is good for reading only.
    elif (token := request.cookies.get(COOKIE, "")) and request.method in _READING:
        found = await run_in_threadpool(checker.caller_of_session, services, token)
    elif request.method in _READING and _is_local_look(request, services):
        return Caller("local", Role.VIEWER)
    else:
        raise HTTPException(
            401,
            "API key: none given; send it as X-API-Key or Authorization: Bearer "
            "(`python -m storage create-key NAME operator` makes one)",
            _CHALLENGE,
        )
    if found is None:
        raise HTTPException(401, "API key: unknown or revoked", _CHALLENGE)
    return found


def key_of(headers: Headers) -> str:
    """The key a request brings; empty: none."""
    header = headers.get("x-api-key", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return header or (token.strip() if scheme.lower() == "bearer" else "")


def _is_local_look(request: Request, services: ApiServices) -> bool:
    """From this machine, to a server bound to it alone."""
    settings = services.settings
    return (
        settings.loopback_viewer
        and is_loopback(settings.api_host)
        and is_from_here(request.scope, settings.trusted_networks)
    )

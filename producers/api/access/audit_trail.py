"""Routes that leave an entry in the audit log: who asked for what, from where, and how it ended.

No answer leaves before its entry is stored: what cannot be logged is refused with a 503. An endpoint that writes to the
database gets its entry in the same transaction (`storage.database.acting`). Requests without a valid key leave none,
or anybody could fill the database.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from producers.api.access.auth import Caller, caller_of, take_form
from producers.api.services import ApiServices, get_services
from sightline.errors import SightlineError
from sightline.redaction import HIDDEN, redact_text
from storage.access.audit_log import record
from storage.database.acting import DONE, FAILED, REFUSED, Act, acting

_READING: Final = frozenset({"GET", "HEAD"})
_SECRET: Final = frozenset({"url", "sub_url", "secret", "key", "password", "token"})
#: Longer texts are cut: whoever asks decides how long they are.
_LONGEST: Final = 256
_MOST: Final = 1000
_DEEPEST: Final = 4
_JSON: Final = "application/json"

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Logged(APIRoute):
    """Every request leaves an entry, named like the endpoint's function."""

    logs_reading = True
    logs_changes = True

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def logged(request: Request) -> Response:
            if not (self.logs_reading if request.method in _READING else self.logs_changes):
                return await handle(request)
            services = get_services(request)
            act = new_act(request, await caller_of(request), self.name, await _body_of(request))
            try:
                with acting(None if request.method in _READING else act):
                    response = await handle(request)
            except Exception as error:
                await run_in_threadpool(record, services.database, act, _outcome(error))
                raise
            if not act.noted:
                await run_in_threadpool(record, services.database, act, DONE)
            return response

        return logged


class ChangesLogged(Logged):
    """The same where a look shows nothing but settings: only changes leave an entry."""

    logs_reading = False


class LooksLogged(Logged):
    """The same where what comes is a row itself, as jobs are: only looks leave an entry."""

    logs_changes = False


class FormLogged(Logged):
    """The same for forms of the page, which a session may send."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def taken(request: Request) -> Response:
            await take_form(request)
            return await handle(request)

        return taken


class Looks:
    """Entries of the page, which asks again every two seconds: one while somebody keeps looking, every `EVERY_S`."""

    EVERY_S: Final = 300.0

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str | None, str | None], float] = {}

    def note(self, services: ApiServices, act: Act) -> None:
        """Raises StoreUnavailableError: then nothing may be shown."""
        who, now = (act.actor, act.key_id, act.address), time.monotonic()
        if now - self._noted.get(who, -self.EVERY_S) < self.EVERY_S:
            return
        record(services.database, act, DONE)
        self._noted = {one: at for one, at in self._noted.items() if now - at < self.EVERY_S} | {who: now}


def new_act(request: Request, caller: Caller, action: str, body: object = None) -> Act:
    """What this request does. Secrets are left out, and so is whatever is very long."""
    given = {"body": _plain(body)} if body is not None else {}
    targets = [_text(str(value)) for value in request.path_params.values()]
    return Act(
        actor=caller.name,
        action=action,
        key_id=caller.key_id,
        role=caller.role.value,
        address=_address(request),
        target="/".join(targets) or None,
        query={_text(name): _plain(value, name) for name, value in request.query_params.items()} | given,
    )


async def _body_of(request: Request) -> object:
    if request.method in _READING or not request.headers.get("content-type", "").startswith(_JSON):
        return None
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        return None  # the endpoint refuses it


def _plain(value: object, name: str = "", depth: int = 0) -> Any:
    if name in _SECRET or depth > _DEEPEST:
        return HIDDEN
    if isinstance(value, Mapping):
        items: Mapping[Any, object] = value  # pyright: ignore[reportUnknownVariableType]
        some = list(items.items())[:_MOST]
        return {_text(str(key)): _plain(each, str(key), depth + 1) for key, each in some}
    if isinstance(value, list):
        listed: list[object] = value  # pyright: ignore[reportUnknownVariableType]
        return [_plain(each, "", depth + 1) for each in listed[:_MOST]]
    return value if value is None or isinstance(value, bool) else _text(str(value))


def _text(value: str) -> str:
    """As every database takes it."""
    return redact_text(value[:_LONGEST]).encode("utf-8", "replace").decode().replace("\0", "")


def _address(request: Request) -> str | None:
    """The peer, and in front what a proxy says of the client: that may be made up, the peer is not."""
    peer = request.client.host if request.client is not None else None
    said = _text(request.headers.get("x-forwarded-for", ""))
    return f"{said} via {peer}" if said else peer


def _outcome(error: Exception) -> str:
    if isinstance(error, HTTPException):
        return REFUSED if error.status_code == 403 else f"{FAILED}{error.status_code}"
    if isinstance(error, RequestValidationError):
        return f"{FAILED}bad_request"
    return FAILED + (error.reason if isinstance(error, SightlineError) else "bug")

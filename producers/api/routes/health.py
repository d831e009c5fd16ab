"""`/healthz`: the process answers. `/readyz`: what it needs answers too. Both are open to all and tell no secret."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Response

from producers.api.services import ApiServices, Given
from sightline.errors import SettingsError, SightlineError
from sightline.redis.connection import broker_errors
from storage.database.revision import current_revision, expected_revision

router = APIRouter(tags=["health"])

_NO_KEY: Final[dict[str, Any]] = {"security": []}
_NO_HTTP: Final[dict[int | str, dict[str, Any]]] = {400: {"description": "What came is no HTTP."}}


@router.get("/healthz", summary="Alive", responses=_NO_HTTP, openapi_extra=_NO_KEY)
async def get_health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Ready",
    responses=_NO_HTTP | {503: {"description": "`checks` names what does not answer."}},
    openapi_extra=_NO_KEY,
)
def get_readiness(services: Given, response: Response) -> dict[str, Any]:
    """Redis, the frame store and a database with up-to-date tables answer."""
    checks = {name: _outcome(check, services) for name, check in _CHECKS.items()}
    ready = all(outcome == "ok" for outcome in checks.values())
    response.status_code = 200 if ready else 503
    return {"status": "ready" if ready else "not ready", "checks": checks}


def _outcome(check: Callable[[ApiServices], object], services: ApiServices) -> str:
    try:
        check(services)
    except SettingsError:
        return "tables are not up to date: run `python -m storage upgrade`"
    except SightlineError as error:
        return error.reason
    return "ok"


def _ping(services: ApiServices) -> None:
    with broker_errors():
        services.redis.ping()


def _check_tables(services: ApiServices) -> None:
    if current_revision(services.database) != _expected_revision():
        raise SettingsError


#: Looked up once: it is part of the code, and takes Alembic's import.
_expected_revision = functools.cache(expected_revision)

_CHECKS: Final[dict[str, Callable[[ApiServices], object]]] = {
    "redis": _ping,
    "frame_store": lambda services: services.publisher.frames.get_many(["readiness"]),
    "database": _check_tables,
}

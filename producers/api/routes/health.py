"""`/healthz`: the process answers. `/readyz`: what it needs answers too. Both are open to all and tell no secret."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Final

from fastapi import APIRouter, Response

from producers.api.services import ApiServices, Given
from sightline.errors import SettingsError, SightlineError, StoreUnavailableError
from sightline.redis.condition import require_usable
from sightline.redis.connection import broker_errors
from storage.database.causes import CURES
from storage.database.engine import require_writable
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
    """Redis, the frame store and a database with up-to-date tables answer, and all of them can be written.

    Redis must not evict. `warnings` says what works and should not stay so.
    """
    warnings: list[str] = []
    checks = {name: _outcome(check, services, warnings) for name, check in _CHECKS.items()}
    ready = all(outcome == "ok" for outcome in checks.values())
    response.status_code = 200 if ready else 503
    return {"status": "ready" if ready else "not ready", "checks": checks, "warnings": warnings}


def _outcome(check: Callable[[ApiServices], Iterable[str]], services: ApiServices, warnings: list[str]) -> str:
    try:
        warnings += check(services)
    except SettingsError as error:
        return str(error)
    except StoreUnavailableError as error:
        return f"{error.cause}: {CURES[error.cause]}" if error.cause else error.reason
    except SightlineError as error:
        return error.reason
    return "ok"


def _check_redis(services: ApiServices) -> Iterable[str]:
    with broker_errors():
        services.redis.ping()
    condition = require_usable(services.redis)
    return () if condition is None else (f"{condition.server}: {warning}" for warning in condition.warned)


def _check_frame_store(services: ApiServices) -> Iterable[str]:
    services.publisher.frames.get_many(["readiness"])
    return ()


def _check_database(services: ApiServices) -> Iterable[str]:
    if current_revision(services.database) != _expected_revision():
        raise SettingsError("tables are not up to date: run `python -m storage upgrade`")
    require_writable(services.database)
    return ()


#: Looked up once: it is part of the code, and takes Alembic's import.
_expected_revision = functools.cache(expected_revision)

_CHECKS: Final[dict[str, Callable[[ApiServices], Iterable[str]]]] = {
    "redis": _check_redis,
    "frame_store": _check_frame_store,
    "database": _check_database,
}

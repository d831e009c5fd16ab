"""`/healthz`: the process answers. `/readyz`: what it needs answers too. Both are open to all and tell no secret."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Final

from fastapi import APIRouter, Response

from producers.api.services import ApiServices, Given
from sightline.errors import (
    BrokerUnavailableError,
    NotPermittedError,
    SettingsError,
    SightlineError,
    StoreUnavailableError,
)
from sightline.redis.condition import require_usable
from sightline.redis.connection import broker_errors
from storage.accounting.agreement import fresh_breaks, require_same_installation
from storage.database.causes import CURES, cure_of
from storage.database.engine import require_writable
from storage.database.revision import current_revision, known_revisions

router = APIRouter(tags=["health"])

_NO_KEY: Final[dict[str, Any]] = {"security": []}
#: Who asks gives up soon; what hangs must be named before.
_WITHIN_S: Final = 2.0
_SILENT: Final = f"no answer within {_WITHIN_S:g} s: does it hang?"
#: Also of what hangs and was asked before: then the newer questions wait, and are not answered in time either.
_THREADS: Final = ThreadPoolExecutor(12, thread_name_prefix="readiness")
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

    Redis must not evict, and must be the one that works with this database. `warnings` says what works and should not
    stay so.
    """
    known_revisions()  # looked up once, here: it takes Alembic's import
    asked = {name: _THREADS.submit(_outcome, name, services) for name in _CHECKS}
    answered, silent = wait(asked.values(), _WITHIN_S)
    for future in silent:
        future.cancel()
    checks = {
        name: future.result()[0] if future in answered else f"{_SILENT} {_CURES[name]}"
        for name, future in asked.items()
    }
    warnings = [warning for future in asked.values() if future in answered for warning in future.result()[1]]
    ready = all(outcome == "ok" for outcome in checks.values())
    response.status_code = 200 if ready else 503
    return {"status": "ready" if ready else "not ready", "checks": checks, "warnings": warnings}


def _outcome(name: str, services: ApiServices) -> tuple[str, list[str]]:
    """`ok`, or what is wrong and what helps; and what is to be warned of. Names no host, no user."""
    try:
        return "ok", list(_CHECKS[name](services))
    except SettingsError as error:
        return str(error), []
    except StoreUnavailableError as error:
        cure = cure_of(error.cause, services.database.engine.dialect.name) if error.cause else _CURES[name]
        return f"{error.cause or error.reason}: {cure}", []
    except NotPermittedError as error:
        return f"{error.reason}: {_NOT_PERMITTED}", []
    except BrokerUnavailableError as error:
        return f"{error.reason}: {_CURES[name]}", []
    except SightlineError as error:
        return error.reason, []


def _check_redis(services: ApiServices) -> Iterable[str]:
    with broker_errors():
        services.redis.ping()
    condition = require_usable(services.redis)
    return () if condition is None else (f"{condition.server}: {warning}" for warning in condition.warned)


def _check_frame_store(services: ApiServices) -> Iterable[str]:
    services.publisher.frames.get_many(["readiness"])
    return ()


def _check_database(services: ApiServices) -> Iterable[str]:
    current, known = current_revision(services.database), known_revisions()
    if current is None or current in known[1:]:
        raise SettingsError("tables are not up to date: run `python -m storage upgrade`")
    require_writable(services.database)
    # In an update the tables come first, and serve the version before until each of its roles had its turn.
    return () if current == known[0] else ("the tables are of a newer version: update this API, too",)


def _check_agreement(services: ApiServices) -> Iterable[str]:
    try:
        require_same_installation(services.database, services.publisher.ledger.agreement)
        return [each.words for each in fresh_breaks(services.database)]
    except NotPermittedError:
        raise
    except (BrokerUnavailableError, StoreUnavailableError):
        return ()  # one of the two is down, which its own check says


_NOT_PERMITTED: Final = "Redis refuses this user or lacks a right for it; the log says which: deploy/redis/users.acl"

#: What is told of what does not answer.
_CURES: Final = {
    "redis": "is Redis up, and is SIGHTLINE_REDIS_URL right?",
    "frame_store": "is what SIGHTLINE_FRAMES_URL names up, and has it room?",
    "database": CURES["unreachable"],
    "agreement": "Redis and the database are compared as soon as both answer",
}

_CHECKS: Final[dict[str, Callable[[ApiServices], Iterable[str]]]] = {
    "redis": _check_redis,
    "frame_store": _check_frame_store,
    "database": _check_database,
    "agreement": _check_agreement,
}

"""`/healthz`: the process answers. `/readyz`: what it needs answers too. Both are open to all and tell no secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response

from producers.api.services import Given, Services
from sightline.errors import SightlineError
from sightline.redis_connection import broker_errors
from storage.database import check_revision

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def get_health() -> dict[str, str]:
    """Alive."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "Something it needs does not answer."}})
def get_readiness(services: Given, response: Response) -> dict[str, Any]:
    """Ready: Redis, the frame store and an up-to-date database answer."""
    checks = {name: _outcome(check, services) for name, check in _CHECKS.items()}
    ready = all(outcome == "ok" for outcome in checks.values())
    response.status_code = 200 if ready else 503
    return {"status": "ready" if ready else "not ready", "checks": checks}


def _outcome(check: Callable[[Services], object], services: Services) -> str:
    try:
        check(services)
    except SightlineError as error:
        return error.reason
    return "ok"


def _ping(services: Services) -> None:
    with broker_errors():
        services.redis.ping()


_CHECKS: dict[str, Callable[[Services], object]] = {
    "redis": _ping,
    "frame_store": lambda services: services.publisher.frames.get_many(["readiness"]),
    "database": lambda services: check_revision(services.database),
}

"""The HTTP API and the page, as one FastAPI app."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request, Response, Security
from fastapi.staticfiles import StaticFiles

import sightline
from producers.api import cameras, health, jobs, page, pictures, results
from producers.api.auth import KeyChecker, key_header
from producers.api.limits import BodyLimit
from producers.api.problems import add_handlers
from producers.api.services import Services, open_services
from sightline.ids import new_id
from sightline.settings import Settings

_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
#: The documentation pages of FastAPI load their script from elsewhere; everything else is ours alone.
_POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; form-action 'self'; base-uri 'none'"


def create_app(settings: Settings, services: Services | None = None) -> FastAPI:
    """The app. `services` are opened from the settings unless given (tests give theirs)."""
    opened = services or open_services(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await opened.close()

    app = FastAPI(
        title="Sightline",
        version=sightline.__version__,
        description="Cameras and uploads become rows you can trust.",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.services = opened
    app.state.keys = KeyChecker()
    add_handlers(app)
    documented = [Security(key_header)]
    for part in (jobs, results, cameras, pictures):
        app.include_router(part.router, dependencies=documented)
    app.include_router(health.router)
    app.include_router(page.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.middleware("http")(_add_headers)
    app.add_middleware(BodyLimit, max_mb=settings.max_upload_mb)
    return app


async def _add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    given = request.headers.get("x-request-id", "")
    request_id = given if _REQUEST_ID.match(given) else new_id()
    response = await call_next(request)
    response.headers["X-Request-ID"] = request_id
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if not request.url.path.startswith("/docs"):
        response.headers.setdefault("Content-Security-Policy", _POLICY)
    return response

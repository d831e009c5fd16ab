"""The HTTP API and the page, as one FastAPI app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI, Security
from fastapi.staticfiles import StaticFiles

import sightline
from producers.api import (
    audit_log,
    books,
    cameras,
    dead_letters,
    explanations,
    health,
    jobs,
    page,
    pictures,
    plates,
    reference,
    results,
    sinks,
)
from producers.api.audit_trail import Looks
from producers.api.auth import SCHEMES, KeyChecker
from producers.api.headers import ResponseHeaders
from producers.api.limits import BodyLimit
from producers.api.problems import add_handlers
from producers.api.queries import refuse_unknown
from producers.api.rate_limit import RateLimit
from producers.api.services import Services, open_services
from sightline.settings import Settings


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
        description=reference.DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,  # `reference` serves the document, to whoever may look
    )
    app.state.services = opened
    app.state.keys = KeyChecker()
    app.state.looks = Looks()
    add_handlers(app)
    documented = [Security(scheme) for scheme in SCHEMES]
    for part in (jobs, results, explanations, dead_letters, cameras, plates, sinks, books, audit_log):
        app.include_router(part.router, dependencies=[*documented, Depends(refuse_unknown)])
    app.include_router(pictures.router, dependencies=documented)  # a query makes a browser fetch a picture anew
    for part in (health, page, reference):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.add_middleware(BodyLimit, max_mb=settings.max_upload_mb)
    app.add_middleware(RateLimit, settings=settings, client=opened.async_redis)
    app.add_middleware(ResponseHeaders)
    return app

"""The HTTP API and the page, as one FastAPI app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import Depends, FastAPI, Security
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles

import sightline
from producers.api.access.audit_trail import Looks
from producers.api.access.auth import SCHEMES, KeyChecker
from producers.api.access.origin import is_through_trusted
from producers.api.access.rate_limit import RateLimit
from producers.api.access.token_limit import LIMIT, REMAINING, RESET
from producers.api.accounting import books
from producers.api.metrics.collector import StoreMetrics
from producers.api.middleware.head import HeadAsGet
from producers.api.middleware.headers import ResponseHeaders
from producers.api.middleware.limits import BodyLimit
from producers.api.middleware.prefix import GivePrefix, TakePrefix
from producers.api.middleware.problems import add_handlers
from producers.api.middleware.tracing import Traced
from producers.api.openai import completions, lookups, models, transcriptions
from producers.api.openai.errors import OpenAiErrors
from producers.api.pages import chat, correction, page, reference
from producers.api.pages import jobs as job_pages
from producers.api.pages import plates as plate_pages
from producers.api.pages.errors import show_errors
from producers.api.params import refuse_unknown
from producers.api.routes import (
    audit_log,
    cameras,
    dead_letters,
    erasure,
    explanations,
    health,
    job_events,
    jobs,
    pictures,
    plates,
    results,
    sinks,
    status,
)
from producers.api.services import ApiServices, open_services
from producers.api.spreadsheets import export
from sightline.settings import Settings

_OWN_HEADERS: Final = ("X-API-Key", "X-Request-ID", "traceparent")


def create_app(settings: Settings, services: ApiServices | None = None) -> FastAPI:
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
        contact={"name": "Sightline"},
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_tags=reference.TAGS,
        generate_unique_id_function=lambda route: route.name,  # names of functions in generated clients: they stay
        openapi_url=None,  # `reference` serves the document, to whoever may look
    )
    app.state.services = opened
    app.state.keys = KeyChecker()
    app.state.looks = Looks()
    app.state.metrics = StoreMetrics(opened)
    add_handlers(app)
    show_errors(app)
    documented = [Security(scheme) for scheme in SCHEMES]
    parts = (
        jobs,
        job_events,
        export,  # before `results`, whose passages may have any id
        results,
        explanations,
        dead_letters,
        cameras,
        plates,
        sinks,
        erasure,
        lookups,
        books,
        audit_log,
        completions,
        models,
        transcriptions,
    )
    for router in (*(part.router for part in parts), jobs.endings):
        app.include_router(router, dependencies=[*documented, Depends(refuse_unknown)])
    app.include_router(pictures.router, dependencies=documented)  # a query makes a browser fetch a picture anew
    app.include_router(status.router, dependencies=documented)
    for part in (health, page, plate_pages, job_pages, correction, chat, reference):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.add_middleware(GivePrefix)
    app.add_middleware(BodyLimit, max_mb=settings.max_upload_mb)
    app.add_middleware(RateLimit, settings=settings, client=opened.async_redis)
    app.add_middleware(ResponseHeaders)
    app.add_middleware(OpenAiErrors)
    app.add_middleware(Traced, tracer=opened.tracer)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=6)
    if settings.cors_origins:
        # Keys come in a header that scripts set; the cookie of the page is for the page alone.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins.split(","),
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key", *_OWN_HEADERS],
            expose_headers=["Location", "Retry-After", "X-Request-ID", LIMIT, REMAINING, RESET],
        )
    app.add_middleware(HeadAsGet)
    trusted = settings.trusted_networks
    app.add_middleware(
        TakePrefix, prefix=settings.url_prefix, is_trusted=lambda scope: is_through_trusted(scope, trusted)
    )
    return app

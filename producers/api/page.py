"""The page: cameras with their newest pictures, the newest passages with their crops, and what waits."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from starlette.concurrency import run_in_threadpool

from producers.api.auth import COOKIE, KeyChecker, require
from producers.api.cameras import camera_views
from producers.api.services import Given, Services
from sightline.errors import RetryableError
from sightline.queues import QUEUES
from sightline.types import Lane, Pipeline
from storage import queries
from storage.keys import Role

router = APIRouter(include_in_schema=False)

_templates = Jinja2Templates(directory=Path(__file__).parent / "templates")
_PASSAGES, _READINGS, _LETTERS = 24, 12, 5
_COOKIE_AGE_S = 30 * 24 * 3600

Looking = Depends(require(Role.VIEWER))


@router.get("/", response_class=HTMLResponse)
async def get_page(request: Request, services: Given) -> Response:
    """The whole page; whoever may not look is asked for a key."""
    try:
        await require(Role.VIEWER)(request)
    except HTTPException:
        return RedirectResponse("/login", 303)
    live = await run_in_threadpool(_live, services)
    return _templates.TemplateResponse(request, "page.html", live)


@router.get("/live", response_class=HTMLResponse, dependencies=[Looking])
def get_live(request: Request, services: Given) -> Response:
    """The part of the page that changes; the page fetches it again and again."""
    return _templates.TemplateResponse(request, "live.html", _live(services), headers={"Cache-Control": "no-store"})


@router.get("/login", response_class=HTMLResponse)
def get_login(request: Request) -> Response:
    return _templates.TemplateResponse(request, "login.html", {"wrong": False})


@router.post("/login", response_class=HTMLResponse)
def post_login(request: Request, services: Given, key: Annotated[str, Form(max_length=200)]) -> Response:
    """Keep the key in a cookie that only this site's own pages send and no script can read."""
    checker: KeyChecker = request.app.state.keys
    if checker.role_of(services, key.strip()) is None:
        return _templates.TemplateResponse(request, "login.html", {"wrong": True}, status_code=401)
    response = RedirectResponse("/", 303)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, key.strip(), max_age=_COOKIE_AGE_S, httponly=True, samesite="strict", secure=secure)
    return response


def _live(services: Services) -> dict[str, Any]:
    """What the page shows. Where a part does not answer, the page says so and shows the rest."""
    shown: dict[str, Any] = {"now": datetime.now(UTC), "troubles": [], "queues": {}, "open": 0, "cameras": []}
    try:
        shown["queues"] = services.publisher.queue_depths()
        shown["open"] = sum(services.publisher.ledger.open_frames().values())
        shown["counts"] = _totals(services.publisher.ledger.counts())
        shown["cameras"] = [
            (view, queries.latest_frame(services.database, view.camera_id)) for view in camera_views(services)
        ]
    except RetryableError as error:
        shown["troubles"].append(str(error))
        shown["queues"] = dict.fromkeys(QUEUES, "?")
        shown["counts"] = {}
    try:
        shown["passages"] = queries.list_passages(services.database, limit=_PASSAGES).items
        shown["readings"] = queries.list_readings(services.database, limit=_READINGS).items
        shown["letters"] = queries.list_dead_letters(services.database, limit=_LETTERS).items
    except RetryableError as error:
        shown["troubles"].append(str(error))
        shown |= {"passages": (), "readings": (), "letters": ()}
    return shown | {"pipelines": list(Pipeline), "lanes": list(Lane)}


def _totals(counts: dict[str, dict[str, int]]) -> dict[str, int]:
    totals = {"published": 0, "stored": 0, "dropped": 0, "dead": 0}
    for source in counts.values():
        for outcome, frames in source.items():
            name = outcome.partition(":")[0]
            totals["stored" if name == "repeated" else name] += frames
    return totals


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, as people say it."""
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago" if seconds else "now"


_templates.env.filters["ago"] = cast(Any, ago)

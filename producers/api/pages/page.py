"""The page, rendered here: it works without a script; with one, its changing part is fetched every two seconds."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from producers.api.access.audit_trail import Looks, new_act
from producers.api.access.auth import COOKIE, Caller, KeyChecker, caller_of, require
from producers.api.middleware.prefix import here
from producers.api.pages.overview import make_overview
from producers.api.pages.templating import render
from producers.api.routes.dead_letters import LetterPath, describe_letter
from producers.api.services import Given, get_services
from storage.access.audit_log import record
from storage.access.keys import SESSION_AGE_S, Role, close_session, open_session
from storage.database.acting import DONE, acting

router = APIRouter(include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
async def get_page(request: Request) -> Response:
    """The whole page; whoever may not look is asked for a key."""
    try:
        await caller_of(request)
    except HTTPException:
        return RedirectResponse(here("/login"), 303)
    return await run_in_threadpool(_render, request, "page.html")


@router.get("/live", response_class=HTMLResponse, dependencies=[Depends(require(Role.VIEWER))])
def get_live(request: Request) -> Response:
    """The part of the page that changes."""
    return _render(request, "live.html")


@router.get("/dead-letters/{letter_id}", response_class=HTMLResponse, dependencies=[Depends(require(Role.VIEWER))])
def get_letter(request: Request, letter_id: LetterPath, services: Given) -> Response:
    """One dead letter, and what can be done about it."""
    record(services.database, new_act(request, _caller(request), "get_dead_letter"), DONE)
    return render(request, "letter.html", {"letter": describe_letter(services, letter_id)})


@router.get("/login", response_class=HTMLResponse)
def get_login(request: Request) -> Response:
    return render(request, "login.html", {"wrong": False})


@router.post("/login", response_class=HTMLResponse)
def post_login(request: Request, services: Given, key: Annotated[str, Form(max_length=200)]) -> Response:
    """Open a session. Its token is in a cookie that only this site's own pages send and no script can read."""
    checker: KeyChecker = request.app.state.keys
    caller = checker.caller_of(services, key.strip())
    if caller is None or caller.key_id is None:
        return render(request, "login.html", {"wrong": True}, status=401)
    with acting(new_act(request, caller, "login")):
        token = open_session(services.database, caller.key_id)
    response = RedirectResponse(here("/"), 303)
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    path = here("") or "/"
    response.set_cookie(
        COOKIE, token, max_age=SESSION_AGE_S, path=path, httponly=True, samesite="strict", secure=secure
    )
    return response


@router.post("/logout")
def post_logout(request: Request, services: Given) -> Response:
    """End the session; a copy of its cookie is worth nothing then."""
    checker: KeyChecker = request.app.state.keys
    if token := request.cookies.get(COOKIE, ""):
        close_session(services.database, token)
        checker.forget()
    response = RedirectResponse(here("/login"), 303)
    response.delete_cookie(COOKIE, path=here("") or "/", httponly=True, samesite="strict")
    return response


def _render(request: Request, name: str) -> Response:
    services, looks = get_services(request), cast(Looks, request.app.state.looks)
    act = new_act(request, _caller(request), "get_page")
    shown = {
        "it": make_overview(services, lambda: looks.note(services, act)),
        "has_key": COOKIE in request.cookies,
        "base_url": str(request.base_url).rstrip("/"),
    }
    return render(request, name, shown)


def _caller(request: Request) -> Caller:
    return cast(Caller, request.state.caller)

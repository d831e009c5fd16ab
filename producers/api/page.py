"""The page, rendered here: it works without a script; with one, its changing part is fetched every two seconds."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from producers.api.auth import COOKIE, KeyChecker, require, role_of
from producers.api.dead_letters import LetterPath, describe_letter
from producers.api.overview import make_overview
from producers.api.services import Given, get_services
from producers.api.templating import render
from storage.keys import Role

router = APIRouter(include_in_schema=False)

_COOKIE_AGE_S: Final = 30 * 24 * 3600


@router.get("/", response_class=HTMLResponse)
async def get_page(request: Request) -> Response:
    """The whole page; whoever may not look is asked for a key."""
    try:
        await role_of(request)
    except HTTPException:
        return RedirectResponse("/login", 303)
    return await run_in_threadpool(_render, request, "page.html")


@router.get("/live", response_class=HTMLResponse, dependencies=[Depends(require(Role.VIEWER))])
def get_live(request: Request) -> Response:
    """The part of the page that changes."""
    return _render(request, "live.html")


@router.get("/dead-letters/{letter_id}", response_class=HTMLResponse, dependencies=[Depends(require(Role.VIEWER))])
def get_letter(request: Request, letter_id: LetterPath, services: Given) -> Response:
    """One dead letter, and what can be done about it."""
    return render(request, "letter.html", {"letter": describe_letter(services, letter_id)})


@router.get("/login", response_class=HTMLResponse)
def get_login(request: Request) -> Response:
    return render(request, "login.html", {"wrong": False})


@router.post("/login", response_class=HTMLResponse)
def post_login(request: Request, services: Given, key: Annotated[str, Form(max_length=200)]) -> Response:
    """Keep the key in a cookie that only this site's own pages send and no script can read."""
    checker: KeyChecker = request.app.state.keys
    if checker.role_of(services, key.strip()) is None:
        return render(request, "login.html", {"wrong": True}, status=401)
    response = RedirectResponse("/", 303)
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    response.set_cookie(COOKIE, key.strip(), max_age=_COOKIE_AGE_S, httponly=True, samesite="strict", secure=secure)
    return response


@router.post("/logout")
def post_logout() -> Response:
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _render(request: Request, name: str) -> Response:
    shown = {
        "it": make_overview(get_services(request)),
        "has_key": COOKIE in request.cookies,
        "base_url": str(request.base_url).rstrip("/"),
    }
    return render(request, name, shown)

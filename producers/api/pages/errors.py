"""Errors as a page, for whoever asks for one with a browser. Under `/v1` they are problems for everybody."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from producers.api.middleware.prefix import here
from producers.api.pages.templating import render

Handler = Callable[[Request, Exception], Awaitable[Response]]


def show_errors(app: FastAPI) -> None:
    """Behind each handler of errors."""
    handlers = cast(dict[Any, Handler], app.exception_handlers)
    for kind, handle in list(handlers.items()):
        app.add_exception_handler(kind, _shown(handle))


def _shown(handle: Handler) -> Handler:
    async def handle_and_show(request: Request, error: Exception) -> Response:
        response = await handle(request, error)
        return _page(request, response) if _wants_page(request) else response

    return handle_and_show


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") and "/v1/" not in request.url.path


def _page(request: Request, response: Response) -> Response:
    if response.status_code == 401:
        return RedirectResponse(here("/login"), 303)
    try:
        problem: dict[str, Any] = json.loads(bytes(response.body))
        shown = {"title": problem["title"], "detail": problem["detail"]}
    except (ValueError, KeyError, TypeError):
        return response
    return render(request, "error.html", shown, status=response.status_code)

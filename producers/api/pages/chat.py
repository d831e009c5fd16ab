"""A chat with the language model, in the browser. It asks `/v1/chat/completions`, as any client does."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from producers.api.access.auth import require
from producers.api.pages.templating import render
from producers.api.services import Given
from storage.access.keys import Role

router = APIRouter(include_in_schema=False)


@router.get("/chat", response_class=HTMLResponse, dependencies=[Depends(require(Role.VIEWER))])
def get_chat(request: Request, services: Given) -> Response:
    """The page. To ask takes an operator's key, which stays in the page: a session is good for reading only."""
    return render(request, "chat.html", {"model": services.settings.chat_model_name})

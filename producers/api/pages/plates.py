"""Pages of plates: search them, page back, and look at one passage with all that was read of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from producers.api.access.audit_trail import new_act
from producers.api.access.auth import Caller, form_mark, may, require
from producers.api.pages.templating import render
from producers.api.params import Cursor, refuse_unknown
from producers.api.services import ApiServices, Given
from sightline.errors import BadMessageError
from storage.access.audit_log import record
from storage.access.keys import Role
from storage.database.acting import DONE
from storage.database.paging import Page
from storage.passages import plate_lists
from storage.passages.search import find_passages
from storage.passages.views import PassageView
from storage.results import queries
from storage.results.corrections import PassageNotFoundError
from storage.results.queries import passage_cursor

router = APIRouter(include_in_schema=False, dependencies=[Depends(require(Role.VIEWER))])

_FOUND: Final = 60
_READINGS: Final = 100


@router.get("/plates")
def get_plates(
    request: Request,
    services: Given,
    text: Annotated[str, Query(max_length=64)] = "",
    like: Annotated[float | None, Query(ge=0, le=2)] = None,
    source: Annotated[str, Query(max_length=64)] = "",
    cursor: Cursor = None,
    newer_than: Cursor = None,
) -> Response:
    """Passages by their plate, or the newest, and the lists of known plates.

    Lists are changed with a key, not with a cookie.
    """
    refuse_unknown(request)
    record(services.database, new_act(request, cast(Caller, request.state.caller), "get_plates"), DONE)
    text, trouble, older, newer = text.strip(), "", None, None
    found: tuple[PassageView, ...] = ()
    try:
        if text and like is not None:
            found = find_passages(services.database, text, max_distance=like, source=source or None, limit=_FOUND).items
        else:
            page = _page(services, text, source, cursor, newer_than)
            found = page.items
            if page.next_cursor:
                older = "?" + urlencode({"text": text, "source": source, "cursor": page.next_cursor})
            if found and _list(services, text, source, first := passage_cursor(found[0]), newer=True, limit=1).items:
                newer = "?" + urlencode({"text": text, "source": source, "newer_than": first})
    except BadMessageError as error:
        trouble = str(error)
    shown = {
        "text": text,
        "like": like,
        "source": source,
        "found": found,
        "older": older,
        "newer": newer,
        "filters": "".join(f"&{urlencode([each])}" for each in (("text", text), ("source", source)) if each[1]),
        "trouble": trouble,
        "lists": plate_lists.list_plates(services.database),
        "now": datetime.now(UTC),
    }
    return render(request, "plates.html", shown)


def _page(
    services: ApiServices, text: str, source: str, cursor: str | None, newer_than: str | None
) -> Page[PassageView]:
    """Where there are not enough newer ones for a page, the newest."""
    if newer_than:
        page = _list(services, text, source, newer_than, newer=True)
        if len(page.items) == _FOUND:
            return page
    return _list(services, text, source, None if newer_than else cursor)


def _list(
    services: ApiServices, text: str, source: str, cursor: str | None, *, newer: bool = False, limit: int = _FOUND
) -> Page[PassageView]:
    return queries.list_passages(
        services.database, text=text or None, source=source or None, limit=limit, cursor=cursor, newer=newer
    )


@router.get("/passages/{passage_id}")
def get_passage(request: Request, services: Given, passage_id: str, cursor: Cursor = None) -> Response:
    """One passage, and what was read of it, the newest first."""
    record(services.database, new_act(request, cast(Caller, request.state.caller), "get_passage"), DONE)
    return show_passage(request, services, passage_id, cursor)


def show_passage(
    request: Request, services: ApiServices, passage_id: str, cursor: str | None = None, *, trouble: str = ""
) -> Response:
    """`trouble`: why a correction was refused."""
    passage = queries.get_passage(services.database, passage_id)
    if passage is None:
        raise PassageNotFoundError(passage_id)
    readings = queries.list_readings(services.database, passage_id=passage_id, limit=_READINGS, cursor=cursor)
    shown = {
        "passage": passage,
        "readings": readings.items,
        "next_cursor": readings.next_cursor,
        "now": datetime.now(UTC),
        "mark": form_mark(request) if may(request, Role.OPERATOR) else "",
        "trouble": trouble,
    }
    return render(request, "passage_page.html", shown, status=422 if trouble else 200)

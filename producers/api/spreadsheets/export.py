"""Passages as a file for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain, islice
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from producers.api.access.audit_trail import Logged
from producers.api.access.auth import require
from producers.api.middleware.problems import ALWAYS
from producers.api.params import BINARY, Country, ListName, Since, Source, Text, Until, Zone
from producers.api.services import Given
from producers.api.spreadsheets import csv, excel
from producers.api.spreadsheets.passages import COLUMNS, passage_rows
from storage.access.keys import Role
from storage.database.paging import MAX_LIMIT
from storage.passages.views import PassageView
from storage.results import queries

router = APIRouter(
    route_class=Logged, prefix="/v1", tags=["results"], responses=ALWAYS, dependencies=[Depends(require(Role.VIEWER))]
)


class Format(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"


_FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "`text/csv`, or an Excel workbook. Without `format` it is what `Accept` names, or CSV.",
        "content": {csv.MEDIA_TYPE: {"schema": {"type": "string"}}, excel.MEDIA_TYPE: {"schema": BINARY}},
    }
}


@router.get("/passages/export", summary="Passages as CSV or Excel", response_class=Response, responses=_FILES)
def export_passages(
    request: Request,
    services: Given,
    format: Annotated[Format | None, Query(description="`csv` or `xlsx`.")] = None,
    text: Text = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    list: ListName = None,
    country: Country = None,
    zone: Zone = None,
    limit: Annotated[int | None, Query(ge=1, description="At most so many; without it all.")] = None,
) -> Response:
    """All passages that match, newest first, written while they are read. Times are UTC."""
    filters = {"text": text, "source": source, "since": since, "until": until, "list_name": list}
    filters |= {"country": country, "zone": zone}
    passages = _read(services, filters)
    first = next(passages, None)  # what is wrong is said before the file begins
    found = chain([] if first is None else [first], passages)
    rows = passage_rows(found if limit is None else islice(found, limit))
    wants_excel = format is Format.XLSX or (format is None and excel.MEDIA_TYPE in request.headers.get("accept", ""))
    content: Iterable[str] | Iterable[bytes]
    if wants_excel:
        media_type, suffix = excel.MEDIA_TYPE, Format.XLSX
        headings = [f"{name} (UTC)" if name.endswith(("_seen", "_at")) else name for name in COLUMNS]
        content = excel.pieces(excel.write_excel(headings, rows))
    else:
        media_type, suffix, content = f"{csv.MEDIA_TYPE}; charset=utf-8", Format.CSV, csv.write_csv(COLUMNS, rows)
    name = f"passages-{datetime.now(UTC):%Y%m%d-%H%M%S}.{suffix}"
    return StreamingResponse(
        content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _read(services: Given, filters: dict[str, Any]) -> Iterator[PassageView]:
    """Page by page: no transaction stays open while somebody downloads slowly."""
    cursor: str | None = None
    while True:
        page = queries.list_passages(services.database, **filters, limit=MAX_LIMIT, cursor=cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return

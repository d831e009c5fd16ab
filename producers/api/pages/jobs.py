"""Pages of jobs and items of any pipeline: what came in, what was found, and what could not be done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BeforeValidator

from producers.api.access.audit_trail import new_act
from producers.api.access.auth import Caller, require
from producers.api.middleware.problems import NotFoundError
from producers.api.pages.templating import render
from producers.api.params import Cursor, Since, Source, Until, refuse_unknown
from producers.api.services import Given
from sightline.errors import BadMessageError
from sightline.types import FrameResult, JobStatus
from storage.access.audit_log import record
from storage.access.keys import Role
from storage.database.acting import DONE
from storage.results import queries
from storage.results.traces import trace_frame

router = APIRouter(include_in_schema=False, dependencies=[Depends(require(Role.VIEWER))])

_JOBS: Final = 60
_ENTRIES: Final = 200  #: of a list that was found
_SIDES: Final = 4
_BLANK: Final = BeforeValidator(lambda value: value or None)  #: a field of a form that nobody filled in


@router.get("/jobs")
def get_jobs(
    request: Request,
    services: Given,
    status: Annotated[JobStatus | None, Query(), _BLANK] = None,
    source: Annotated[Source, _BLANK] = None,
    since: Annotated[Since, _BLANK] = None,
    until: Annotated[Until, _BLANK] = None,
    cursor: Cursor = None,
) -> Response:
    """Finished jobs, the newest first."""
    refuse_unknown(request)
    if status is JobStatus.OPEN:
        raise BadMessageError("status: jobs that are open are not shown here; /v1/jobs?status=open has them")
    _note(request, services, "list_jobs")
    page = queries.list_jobs(
        services.database, status=status, source=source, since=since, until=until, limit=_JOBS, cursor=cursor
    )
    asked = {name: value for name, value in request.query_params.items() if value and name != "cursor"}
    shown = {
        "jobs": page.items,
        "older": page.next_cursor and "?" + urlencode(asked | {"cursor": page.next_cursor}),
        "statuses": [each.value for each in JobStatus if each is not JobStatus.OPEN],
        "asked": asked | {name: f"{day:%Y-%m-%d}" for name, day in (("since", since), ("until", until)) if day},
        "now": datetime.now(UTC),
    }
    return render(request, "jobs.html", shown)


@router.get("/jobs/{job_id}")
def get_job(request: Request, services: Given, job_id: str) -> Response:
    """One job, and of each of its items what was found in short."""
    _note(request, services, "get_job")
    job = queries.get_job(services.database, job_id)
    if job is None:
        raise NotFoundError("job", job_id, hint=f"or it is not finished; /v1/jobs/{job_id} says")
    return render(request, "job.html", {"job": job, "now": datetime.now(UTC)})


@router.get("/frames/{frame_id}")
def get_frame(request: Request, services: Given, frame_id: str) -> Response:
    """One item, and all that was found on it, whatever its pipeline."""
    _note(request, services, "get_frame")
    item = queries.get_frame(services.database, frame_id)
    if item is None:
        raise NotFoundError("frame", frame_id, hint="or nothing is known of it yet")
    found = {name: value for name, value in item.found.items() if value not in (None, "", [], {})}
    shown = {
        "item": item,
        "is_picture": isinstance(item, FrameResult) and not item.frame.parts and item.error is None,
        "fields": {name: value for name, value in found.items() if not _is_table(value)},
        "tables": {name: _table(value) for name, value in found.items() if _is_table(value)},
        "trace": trace_frame(services.database, frame_id),
        "now": datetime.now(UTC),
    }
    return render(request, "item.html", shown)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in cast(list[Any], value))


def _table(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Columns in which nothing stands are left out, and those too long to be looked at: the JSON has them."""
    shown = entries[:_ENTRIES]
    names = dict.fromkeys(name for entry in shown for name, value in entry.items() if value not in (None, "", [], {}))
    names = [name for name in names if not any(_is_long(entry.get(name)) for entry in shown)]
    return {"names": names, "entries": shown, "left_out": len(entries) - len(shown)}


def _is_long(value: Any) -> bool:
    """Whether it has parts that have parts, or more of them than a box has sides."""
    if not isinstance(value, list):
        return isinstance(value, dict)
    parts = cast(list[Any], value)
    return len(parts) > _SIDES or any(isinstance(each, list | dict) for each in parts)


def _note(request: Request, services: Given, action: str) -> None:
    record(services.database, new_act(request, cast(Caller, request.state.caller), action), DONE)

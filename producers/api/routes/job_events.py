"""`/v1/jobs/{id}/events`: what a job says while it is worked on, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from producers.api.access.audit_trail import LooksLogged
from producers.api.access.auth import require
from producers.api.middleware.problems import ALWAYS, NotFoundError, described
from producers.api.routes.jobs import JobIdPath, look
from producers.api.services import ApiServices, Given
from sightline.delivery.delta_stream import StreamEvent
from storage.access.keys import Role
from storage.results import queries

router = APIRouter(route_class=LooksLogged, prefix="/v1/jobs", tags=["jobs"], responses=ALWAYS)

#: Proxies close what is silent for longer.
_KEEP_ALIVE_S = 15.0
EntryId = Annotated[str | None, Header(pattern=r"^\d+(-\d+)?$", description="Go on after this event.")]


@router.get(
    "/{job_id}/events",
    summary="Listen to a job",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events, until the one with the result."}}
    | described(404),
    dependencies=[Depends(require(Role.VIEWER))],
)
async def listen_to_job(
    job_id: JobIdPath,
    services: Given,
    last_event_id: EntryId = None,
    last_id: Annotated[str, Query(pattern=r"^\d+(-\d+)?$", description="The same, where headers cannot be set.")] = "0",
    silent: Annotated[float, Query(gt=0, le=3600, description="End after so many seconds of silence.")] = 600,
) -> StreamingResponse:
    """`delta` is the next piece of the answer, `restart` says that what came before is void, `result` is the end.

    A client that lost its connection goes on with `Last-Event-ID`, as browsers do by themselves.
    """
    answer = await look(services, job_id, 0)
    if answer is None:
        raise NotFoundError("job", job_id)
    events = _events(services, job_id, last_event_id or last_id, silent)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _events(services: ApiServices, job_id: str, last_id: str, silent_s: float) -> AsyncIterator[str]:
    async for event in listen(services, job_id, last_id, silent_s=silent_s):
        yield ": still there\n\n" if event is None else _written(event)


async def listen(
    services: ApiServices, job_id: str, last_id: str = "0", *, silent_s: float
) -> AsyncIterator[StreamEvent | None]:
    """What a job says, until its result; None now and then while it says nothing. Ends after `silent_s` of silence."""
    left_s = silent_s
    while left_s > 0:
        async for event in services.deltas.listen(job_id, last_id, silent_s=min(_KEEP_ALIVE_S, left_s)):
            yield event
            last_id, left_s = event.id, silent_s
            if event.event == "result":
                return
        left_s -= _KEEP_ALIVE_S
        # Its result may be in the database alone by now.
        result = await run_in_threadpool(queries.get_job, services.database, job_id)
        if result is not None:
            yield StreamEvent(event="result", id=last_id, result=result)
            return
        yield None


def _written(event: StreamEvent) -> str:
    return f"id: {event.id}\nevent: {event.event}\ndata: {event.model_dump_json(exclude_none=True)}\n\n"

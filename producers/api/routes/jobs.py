"""`/v1/jobs`: upload images or name URLs, then wait for the result."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from producers.api.access.audit_trail import ChangesLogged, LooksLogged
from producers.api.access.auth import caller_of, require
from producers.api.access.token_limit import publish_for
from producers.api.middleware.prefix import here
from producers.api.middleware.problems import ALWAYS, NotFoundError, described
from producers.api.params import Cursor, Limit, Since, Source, Until
from producers.api.services import ApiServices, Given
from producers.api.uploads.forms import form_body, image_body, json_body, query_options, read_job
from sightline.errors import BacklogFullError, BrokerUnavailableError
from sightline.types import JobResult, JobStatus, Lane, Pipeline
from sightline.wire.messages import Job
from storage.access.keys import Role
from storage.results import queries
from storage.results.views import JobView

router = APIRouter(route_class=LooksLogged, prefix="/v1/jobs", tags=["jobs"], responses=ALWAYS)
#: What ends a job that somebody else may wait for is entered in the audit log.
endings = APIRouter(route_class=ChangesLogged, prefix="/v1/jobs", tags=["jobs"], responses=ALWAYS)

JobIdPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$")]
Wait = Annotated[float, Query(ge=0, le=60, description="Wait up to so many seconds for the result.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Requests with the same key and the same images are one job; without a key the images decide.",
    ),
]

_EXAMPLE_ID: Final = "9b2d7f0c4e6a18355d90c1aa7e42f6b3"


class JobAnswer(BaseModel):
    """A job: `open` until it is finished, then with its result."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "job_id": _EXAMPLE_ID,
                "status": "open",
                "links": {"self": f"/v1/jobs/{_EXAMPLE_ID}", "wait": f"/v1/jobs/{_EXAMPLE_ID}?wait=30"},
            }
        }
    )

    job_id: str
    status: JobStatus
    links: dict[str, str]
    refused: list[str] | None = None  #: frame ids left out of a live job: their source has too much open
    notes: list[str] | None = None  #: what of the files is not in the job, as all but the first picture of a GIF
    result: JobResult | None = None


class OpenJob(BaseModel):
    """A job that is not finished."""

    model_config = ConfigDict(extra="forbid")

    job_id: str
    pipeline: Pipeline
    lane: Lane
    status: JobStatus = JobStatus.OPEN
    frame_count: int
    published_at: datetime


class JobList(BaseModel):
    """A page of jobs, newest first; of open ones there is a single page."""

    items: tuple[JobView | OpenJob, ...]
    next_cursor: str | None = None


_SUBMITTING: Final[dict[str, Any]] = {
    "status_code": 202,
    "response_model": JobAnswer,
    "responses": {
        202: {
            "headers": {"Location": {"description": "The job.", "schema": {"type": "string"}}},
            "description": "Accepted: the images end in the database, as dead letters, or dropped by a named rule.",
        }
    }
    | described(413, 415, 429),
    "dependencies": [Depends(require(Role.OPERATOR))],
}


@router.post("", summary="Submit images", openapi_extra=form_body(), **_SUBMITTING)
async def create_job(
    request: Request,
    services: Given,
    given: Annotated[dict[str, Any], Depends(query_options)],
    wait: Wait = 0,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """As files of a form. (JSON and one image as the body are taken here too.)

    The same images from the same source are the same job.

    With `wait` the answer holds the result if it comes in time.
    """
    return await _accept(request, services, given, wait, idempotency_key)


@router.post("/json", summary="Submit images by URL or in base64", openapi_extra=json_body(), **_SUBMITTING)
async def create_json_job(
    request: Request, services: Given, wait: Wait = 0, idempotency_key: IdempotencyKey = None
) -> Response:
    """As JSON, by URL or in base64."""
    return await _accept(request, services, {}, wait, idempotency_key)


@router.post("/image", summary="Submit one image", openapi_extra=image_body(), **_SUBMITTING)
async def create_image_job(
    request: Request,
    services: Given,
    given: Annotated[dict[str, Any], Depends(query_options)],
    wait: Wait = 0,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """As the body, with all else in the query."""
    return await _accept(request, services, given, wait, idempotency_key)


@router.get(
    "/{job_id}",
    summary="A job and its result",
    response_model=JobAnswer,
    responses=described(404),
    dependencies=[Depends(require(Role.VIEWER))],
)
async def get_job(job_id: JobIdPath, services: Given, wait: Wait = 0) -> Response:
    """With `wait` the answer comes as soon as the result does."""
    answer = await look(services, job_id, wait)
    if answer is None:
        raise NotFoundError("job", job_id)
    return _respond(answer)


@endings.post(
    "/{job_id}/cancel",
    summary="Cancel a job",
    status_code=202,
    response_model=JobAnswer,
    responses={200: {"model": JobAnswer, "description": "It had ended before: this is its result."}} | described(404),
    dependencies=[Depends(require(Role.OPERATOR))],
)
async def cancel_job(job_id: JobIdPath, services: Given, wait: Wait = 0) -> Response:
    """Its frames are dropped as `cancelled`, and counted. What waits is not begun, what is worked on ends at its next
    step.

    What a writer has in hand is stored all the same: the result tells. Cancelling again does no harm. With `wait` the
    answer holds the result if it comes in time.
    """
    is_told = await run_in_threadpool(services.publisher.ledger.cancel, job_id)
    answer = await look(services, job_id, wait)
    if answer is None:
        raise NotFoundError("job", job_id)
    if answer.result is None and not is_told:
        raise BrokerUnavailableError(f"job {job_id} is being found again after a loss of Redis; cancel it once more")
    return _respond(answer, 202 if is_told else 200)


@router.get("", summary="Jobs", dependencies=[Depends(require(Role.VIEWER))])
def list_jobs(
    services: Given,
    status: Annotated[
        JobStatus | None, Query(description="Only jobs that ended so; `open` lists unfinished ones.")
    ] = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> JobList:
    """Finished jobs, newest first, or those still open."""
    if status is JobStatus.OPEN:
        jobs = services.publisher.ledger.open_jobs(limit=limit, newest_first=True)
        return JobList(items=tuple(_open(job) for job in jobs if source is None or _has_source(job, source)))
    page = queries.list_jobs(
        services.database, status=status, source=source, since=since, until=until, limit=limit, cursor=cursor
    )
    return JobList(items=page.items, next_cursor=page.next_cursor)


async def _accept(
    request: Request, services: ApiServices, given: dict[str, Any], wait: float, idempotency_key: str | None
) -> Response:
    job, pixels, notes = await read_job(request, services.settings, idempotency_key, given)
    published = await run_in_threadpool(publish_for, await caller_of(request), services, job, pixels)
    refused = published.refused
    del pixels  # the wait may be long
    if len(refused) == len(job.frames):
        source_id = job.frames[0].source_id
        raise BacklogFullError(
            f"backlog full for source {source_id!r} in lane live; try again later, or in another lane",
            source_id=source_id,
        )
    # The same request may have been made before, and its job be finished.
    answer = await look(services, job.job_id, wait) or _answer(job.job_id, None)
    told = {"refused": [frame.frame_id for frame in refused] or None, "notes": notes or None}
    answer = answer.model_copy(update=told)
    return _respond(answer, 202, {"Location": here(f"/v1/jobs/{job.job_id}"), **published.headers})


async def look(services: ApiServices, job_id: str, wait: float) -> JobAnswer | None:
    """How a job stands, or will within `wait` seconds. None if there is none."""
    try:
        result = await services.board.wait(job_id, 0)
        is_open = result is None and await run_in_threadpool(services.publisher.ledger.open_job, job_id) is not None
    except BrokerUnavailableError:  # what is finished can be told without Redis
        result = await run_in_threadpool(queries.get_job, services.database, job_id)
        if result is None:
            raise
        return _answer(job_id, result)
    if is_open:
        return _answer(job_id, await services.board.wait(job_id, wait) if wait else None)
    # Rows are written before a job leaves the ledger: what is not open is in the database, or nowhere.
    result = result or await run_in_threadpool(queries.get_job, services.database, job_id)
    if result is None and not await run_in_threadpool(services.accepted.is_open, job_id):
        # Lost by Redis and published again, it may have ended between these two looks.
        result = await run_in_threadpool(queries.get_job, services.database, job_id)
        return None if result is None else _answer(job_id, result)
    return _answer(job_id, result)


def _answer(job_id: str, result: JobResult | None) -> JobAnswer:
    path = here(f"/v1/jobs/{job_id}")
    links = {"self": path, "wait": f"{path}?wait=30"}
    return JobAnswer(job_id=job_id, status=result.status if result else JobStatus.OPEN, links=links, result=result)


def _respond(answer: JobAnswer, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """As text at once: somebody waits, and FastAPI would look at everything in it again."""
    return Response(answer.model_dump_json(exclude_none=True), status_code, headers, "application/json")


def _open(job: Job) -> OpenJob:
    return OpenJob(
        job_id=job.job_id,
        pipeline=job.pipeline,
        lane=job.lane,
        frame_count=len(job.frames),
        published_at=datetime.fromtimestamp(job.published_at, UTC),
    )


def _has_source(job: Job, source: str) -> bool:
    return any(frame.source_id == source for frame in job.frames)

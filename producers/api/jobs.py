"""`/v1/jobs`: upload images or name URLs, then wait for the result."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from producers.api.auth import require
from producers.api.problems import RESPONSES
from producers.api.queries import Cursor, Limit, Since, Source, Until
from producers.api.services import Given
from producers.api.url_fetch import fetch_image
from sightline.errors import BadImageError, BadMessageError
from sightline.ids import content_id
from sightline.images import check_image
from sightline.jobs import NewFrame, make_job
from sightline.messages import Job, bad_message
from sightline.settings import Settings
from sightline.types import JobResult, JobStatus, Lane, Pipeline, SourceId
from storage import queries
from storage.keys import Role
from storage.views import JobView, Page

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=RESPONSES)

JobIdPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$")]
Wait = Annotated[float, Query(ge=0, le=60, description="Wait so many seconds for the result.")]


class UrlJob(BaseModel, extra="forbid"):
    """A job of images that the API fetches."""

    urls: Annotated[list[str], Field(min_length=1, max_length=64)]
    pipeline: Pipeline = Pipeline.PLATES
    lane: Lane = Lane.INTERACTIVE
    source_id: SourceId = "api"
    captured_at: datetime | None = None


class JobForm(BaseModel, extra="forbid"):
    """The form fields beside `files`."""

    pipeline: Pipeline = Pipeline.PLATES
    lane: Lane = Lane.INTERACTIVE
    source_id: SourceId = "api"
    captured_at: datetime | None = None


class Accepted(BaseModel):
    """A job that was accepted, or its result if it was waited for and came in time."""

    job_id: str
    status: Literal["open", "stored", "dropped", "dead"]
    links: dict[str, str]
    result: JobResult | None = None


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "pipeline": {"type": "string", "enum": [name.value for name in Pipeline]},
                        "lane": {"type": "string", "enum": [name.value for name in Lane]},
                        "source_id": {"type": "string", "default": "api"},
                        "captured_at": {"type": "string", "format": "date-time"},
                    },
                },
            },
            "application/json": {
                "schema": UrlJob.model_json_schema(),
                "example": {"urls": ["https://example.org/car.jpg"], "pipeline": "plates", "source_id": "gate"},
            },
        },
    }
}


@router.post(
    "",
    status_code=202,
    response_model_exclude_none=True,
    openapi_extra=_BODY,
    dependencies=[Depends(require(Role.OPERATOR))],
)
async def create_job(
    request: Request,
    response: Response,
    services: Given,
    wait: Wait = 0,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> Accepted:
    """Submit images: as files of a form, or by URL as JSON. The same images from the same source are the same job."""
    settings = services.settings
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        options, frames = await _from_form(request, settings)
    else:
        options, frames = await _from_urls(request, settings)
    job = await run_in_threadpool(_publish, services, options, frames, idempotency_key)
    response.headers["Location"] = f"/v1/jobs/{job.job_id}"
    result = await services.board.wait(job.job_id, wait) if wait else None
    return _accepted(job.job_id, result)


@router.get("/{job_id}", response_model_exclude_none=True, dependencies=[Depends(require(Role.VIEWER))])
async def get_job(job_id: JobIdPath, services: Given, wait: Wait = 0) -> Accepted:
    """A job and, once it is finished, its result. With `wait` the answer comes as soon as the result does."""
    result = await run_in_threadpool(queries.get_job, services.database, job_id)
    if result is None:
        is_open = await run_in_threadpool(services.publisher.ledger.open_job, job_id)
        result = await services.board.wait(job_id, wait if is_open else 0.001)
        if result is None and not is_open:
            raise JobNotFoundError(job_id)
    return _accepted(job_id, result)


@router.get("", dependencies=[Depends(require(Role.VIEWER))])
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
) -> Page[JobView]:
    """Finished jobs, newest first, or those still open."""
    if status is JobStatus.OPEN:
        found = services.publisher.ledger.open_jobs(limit=limit)
        return Page[JobView](items=tuple(_open_view(job) for job in found))
    return queries.list_jobs(
        services.database, status=status, source=source, since=since, until=until, limit=limit, cursor=cursor
    )


class JobNotFoundError(BadMessageError):
    reason = "job_not_found"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job_id: there is no job {job_id!r}", field="job_id")


def _open_view(job: Job) -> JobView:
    return JobView(
        job_id=job.job_id,
        pipeline=job.pipeline,
        lane=job.lane,
        status=JobStatus.OPEN,
        attempt=job.attempt,
        frame_count=len(job.frames),
        outcomes={},
        published_at=datetime.fromtimestamp(job.published_at, UTC),
        finished_at=None,
    )


async def _from_form(request: Request, settings: Settings) -> tuple[JobForm, list[NewFrame]]:
    most = settings.max_files_per_job
    async with request.form(max_files=most, max_fields=20, max_part_size=10_000) as form:
        try:
            options = JobForm.model_validate({name: value for name, value in form.items() if name != "files"})
        except ValidationError as error:
            raise bad_message(error) from error
        uploads = form.getlist("files")
        frames: list[NewFrame] = []
        for upload in uploads:
            if not isinstance(upload, UploadFile):
                raise BadMessageError("files: a text field, not a file; send it with a filename", field="files")
            frames.append(_new_frame(await upload.read(), upload.filename or "", options.captured_at, settings))
    if not frames:
        raise BadMessageError("files: none given; send at least one image in the form field `files`", field="files")
    return options, frames


async def _from_urls(request: Request, settings: Settings) -> tuple[UrlJob, list[NewFrame]]:
    try:
        options = UrlJob.model_validate_json(await request.body())
    except ValidationError as error:
        raise bad_message(error) from error
    if len(options.urls) > settings.max_files_per_job:
        raise BadMessageError(f"urls: {len(options.urls)} given, at most {settings.max_files_per_job}", field="urls")
    bodies = await asyncio.gather(*(fetch_image(url, settings) for url in options.urls))
    names = [url.rpartition("/")[2].partition("?")[0] for url in options.urls]
    return options, [
        _new_frame(body, name, options.captured_at, settings) for body, name in zip(bodies, names, strict=True)
    ]


def _new_frame(data: bytes, name: str, captured_at: datetime | None, settings: Settings) -> NewFrame:
    try:
        check_image(data, max_mb=settings.max_image_mb, max_mpx=settings.max_image_mpx)
    except BadImageError as error:
        raise BadImageError(f"file {name!r}: {error}") from error
    at = captured_at or datetime.now(UTC)
    return NewFrame(data, at if at.tzinfo else at.replace(tzinfo=UTC), name=name.rpartition("/")[2][-255:])


def _publish(services: Any, options: JobForm | UrlJob, frames: list[NewFrame], idempotency_key: str | None) -> Job:
    job, pixels = make_job(
        frames, services.settings, pipeline=options.pipeline, lane=options.lane, source_id=options.source_id
    )
    if idempotency_key:
        job = job.model_copy(update={"job_id": content_id(job.job_id, idempotency_key)})
    services.publisher.publish(job, pixels)
    return job


def _accepted(job_id: str, result: JobResult | None) -> Accepted:
    links = {"self": f"/v1/jobs/{job_id}", "wait": f"/v1/jobs/{job_id}?wait=30"}
    return Accepted(job_id=job_id, status=result.status.value if result else "open", links=links, result=result)

"""What comes in with `POST /v1/jobs`: a form of files, JSON with URLs or base64, or one image as it is.

Each becomes a job and its pixels.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from fastapi import Query, Request
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from producers.api.middleware.problems import UnsupportedTypeError, refusal
from producers.api.params import Moment
from producers.api.uploads.url_fetch import fetch_images
from sightline.errors import BadImageError, BadMessageError
from sightline.images.base64_images import open_base64
from sightline.images.conversion import is_convertible
from sightline.images.header import ImageLimits, check_image, format_of
from sightline.images.kinds import HEAD_BYTES, name_kind
from sightline.pipelines import DEFAULT, KnownPipeline, registry
from sightline.settings import Settings
from sightline.submission.jobs import AHEAD, NewFrame, NewItem, make_job, notes_on, sequence_of
from sightline.submission.sounds import NewSound
from sightline.submission.texts import NewText, decode_text
from sightline.types import Lane, Medium, SourceId
from sightline.wire.messages import Job

_MAX_FIELD_BYTES: Final = 4096
RAW_ONLY: Final = "For a body that is one image: as the field of a form."
_AS_FILE: Final = "send it as a file with a name: curl -F files=@car.jpg (with @, not <)"
_REF: Final = "#/components/schemas/{model}"
#: More than there are, so that a wrong one is answered with the names of the right ones.
_MAX_FIELDS: Final = 16


def _not_in_the_future(moment: datetime | None) -> datetime | None:
    if moment is not None and moment > datetime.now(UTC) + AHEAD:
        raise ValueError(f"{moment.isoformat()} is more than a day in the future")
    return moment


def _from_json(value: object) -> object:
    """A form and a query have texts alone."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError('must be a JSON object, as {"temperature": 0}') from error


class _File(NamedTuple):
    """An image or a text as it came; the name is what the client calls it."""

    name: str
    data: bytes
    medium: Medium | None = None  #: None: what the pipeline takes


class Upload(NamedTuple):
    """A job, its pixels by frame id, and what of its files is not in it."""

    job: Job
    pixels: dict[str, bytes]
    notes: list[str]


class JobOptions(BaseModel):
    """What a form says beside its `files`."""

    model_config = ConfigDict(extra="forbid")

    pipeline: Annotated[KnownPipeline, Field(description="What to do with the images.")] = DEFAULT
    lane: Annotated[Lane, Field(description="Who is served first: interactive > live > bulk.")] = Lane.INTERACTIVE
    source_id: Annotated[SourceId, Field(description="The source its rows belong to.")] = "api"
    captured_at: Annotated[
        Moment | None,
        AfterValidator(_not_in_the_future),
        Field(description="When the pictures were taken; else what their EXIF says, else now. Passages go by it."),
    ] = None
    sequence: Annotated[
        bool,
        Field(
            description="Whether the pictures follow each other in time, as those of a camera do: with all pictures of "
            "this source that say so. Else each stands alone, unless their EXIF shows a burst."
        ),
    ] = False
    options: Annotated[
        dict[str, JsonValue] | None,
        BeforeValidator(_from_json),
        Field(description="How the pipeline is to work on them, where it has options; in a form as JSON."),
    ] = None


class JsonJob(JobOptions):
    """Images that the API fetches, images in base64, or texts or sounds for a pipeline that takes such.

    One of the four; several only where the items of a pipeline have several parts.
    """

    urls: Annotated[list[Annotated[str, Field(max_length=2048)]], Field(min_length=1, max_length=64)] | None = None
    images: (
        Annotated[list[str], Field(min_length=1, max_length=64, description="In base64, or as data URLs.")] | None
    ) = None

    texts: Annotated[list[str], Field(min_length=1, max_length=64, description="Texts as they are.")] | None = None

    sounds: (
        Annotated[list[str], Field(min_length=1, max_length=64, description="In base64, or as data URLs.")] | None
    ) = None

    @model_validator(mode="after")
    def _one_of_four(self) -> Self:
        given = sum(each is not None for each in (self.urls, self.images, self.texts, self.sounds))
        if given == 0 or (given > 1 and registry().get(self.pipeline).most_parts == 1):
            raise ValueError(
                'give one of {"urls": [...]}, {"images": [...]} in base64, {"texts": [...]} or {"sounds": [...]}'
            )
        return self


def query_options(
    pipeline: Annotated[KnownPipeline | None, Query(description=RAW_ONLY)] = None,
    lane: Annotated[Lane | None, Query(description=RAW_ONLY)] = None,
    source_id: Annotated[SourceId | None, Query(description=RAW_ONLY)] = None,
    captured_at: Annotated[Moment | None, Query(description=RAW_ONLY)] = None,
    sequence: Annotated[bool | None, Query(description=RAW_ONLY)] = None,
    options: Annotated[str | None, Query(description=f"{RAW_ONLY} As JSON.")] = None,
) -> dict[str, Any]:
    """What the query says of an image that is the body: it has no fields."""
    given = {
        "pipeline": pipeline,
        "lane": lane,
        "source_id": source_id,
        "captured_at": captured_at,
        "sequence": sequence,
        "options": options,
    }
    return {name: value for name, value in given.items() if value is not None}


def form_body() -> dict[str, Any]:
    """The form for the OpenAPI document: FastAPI cannot see it, it is read by hand."""
    fields = JobOptions.model_json_schema(ref_template=_REF)["properties"]
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "Images."}
    schema = {"type": "object", "required": ["files"], "properties": {"files": files, **fields}}
    example = {"files": ["car.jpg"], "pipeline": "plates", "source_id": "gate"}
    return _body("multipart/form-data", {"schema": schema, "examples": {"photos": {"value": example}}})


def json_body() -> dict[str, Any]:
    """The same for JSON."""
    urls = {"urls": ["https://example.org/car.jpg"], "pipeline": "plates", "source_id": "gate"}
    images = {"images": ["/9j/4AAQSkZJRg…"], "pipeline": "plates"}
    examples = {"urls": {"value": urls}, "images": {"value": images}}
    return _body("application/json", {"schema": {"$ref": _REF.format(model="JsonJob")}, "examples": examples})


def json_schema() -> dict[str, Any]:
    """`JsonJob` among the schemas of the OpenAPI document; what it refers to is there too."""
    schema = JsonJob.model_json_schema(ref_template=_REF)
    schema.pop("$defs", None)
    return schema


def models_of(model: type[BaseModel]) -> dict[str, Any]:
    """A model of a body that is read by hand, and those it refers to, by name."""
    schema = model.model_json_schema(ref_template=_REF)
    return {**schema.pop("$defs", {}), model.__name__: schema}


def image_body() -> dict[str, Any]:
    """The same for an image as it is."""
    return _body("application/octet-stream", {"schema": {"type": "string", "format": "binary"}})


def _body(content_type: str, media: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {content_type: media}}}


async def read_job(
    request: Request, settings: Settings, idempotency_key: str | None, given: Mapping[str, Any]
) -> Upload:
    """The job in a request.

    `given`: what the query says, for an image that is the body.
    The job's id comes from the images, the pipeline and `idempotency_key`: the same request is the same job.

    Raises:
        BadMessageError, BadImageError: naming the field or file, its value and what is accepted.
        UnsafeUrlError, SourceError: naming the URL that must not or cannot be fetched.
        UnsupportedTypeError: the body is neither a form nor JSON nor an image.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_text = content_type == "text/plain"
    is_one = is_text or content_type.startswith(("image/", "audio/")) or content_type == "application/octet-stream"
    if given and not is_one:
        name = next(iter(given))
        raise BadMessageError(f"{name}: in the query only where the body is one image; here it is a field", field=name)
    if is_one:
        options, files = _options(given), [_File("", await request.body(), "text" if is_text else None)]
    elif content_type == "multipart/form-data":
        options, files = await _read_form(request, settings)
    elif content_type == "application/json":
        options, files = await _read_json(request, settings)
    else:
        raise UnsupportedTypeError(
            f"content-type: {content_type or 'none'!r}; send multipart/form-data with the images as `files`, "
            'application/json with {"urls": […]}, {"images": […]} in base64 or {"texts": […]}, '
            "one image as image/jpeg, or one text as text/plain"
        )
    return await run_in_threadpool(_make_job, options, files, settings, idempotency_key)


async def _read_form(request: Request, settings: Settings) -> tuple[JobOptions, list[_File]]:
    most = settings.max_files_per_job
    try:
        async with request.form(max_files=most, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES) as form:
            options = _options(_fields(form))
            hears = "audio" in registry().get(options.pipeline).accepts
            most_mb = max(settings.max_image_mb, settings.max_sound_mb) if hears else settings.max_image_mb
            files = [await _read_file(upload, most_mb) for upload in form.getlist("files")]
    except HTTPException as error:
        cure = f"; if it is an image, {_AS_FILE}" if "Part exceeded" in error.detail else ""
        raise BadMessageError(f"form: {error.detail.rstrip('.')}{cure}", field="files") from error
    if not files:
        raise BadMessageError("files: none given; send at least one image in the form field `files`", field="files")
    return options, files


async def _read_file(upload: UploadFile | str, most_mb: float) -> _File:
    if isinstance(upload, str):
        raise BadMessageError(f"files: a text, not a file; {_AS_FILE}", field="files")
    name, size_mb = upload.filename or "", (upload.size or 0) / 1_000_000
    if size_mb > most_mb:  # before it is taken into memory
        raise BadImageError(
            f"file {name[:255]!r}: {size_mb:.1f} MB, at most {most_mb:g} MB are accepted; send it smaller"
        )
    return _File(name, await upload.read(), "text" if (upload.content_type or "").startswith("text/plain") else None)


def _fields(form: FormData) -> dict[str, Any]:
    fields = {name: value for name, value in form.multi_items() if name != "files"}
    for name, value in fields.items():
        if name not in JobOptions.model_fields:
            known = ", ".join(("files", *JobOptions.model_fields))
            raise BadMessageError(f"{name[:80]}: no field of this form; it has {known}", field=name[:80])
        if not isinstance(value, str):
            raise BadMessageError(f"{name}: a file, not a text; images go in the field `files`", field=name)
    return fields


def _options(fields: Mapping[str, Any]) -> JobOptions:
    try:
        return JobOptions.model_validate(fields)
    except ValidationError as error:
        raise refusal(error) from error


async def _read_json(request: Request, settings: Settings) -> tuple[JobOptions, list[_File]]:
    try:
        options = JsonJob.model_validate_json(await request.body())
    except ValidationError as error:
        raise refusal(error) from error
    given = {"urls": options.urls, "images": options.images, "texts": options.texts, "sounds": options.sounds}
    for name, each in given.items():
        if each is not None and len(each) > (most := settings.max_files_per_job):
            raise BadMessageError(f"{name}: {len(each)} given, at most {most} are accepted", field=name)
    urls = options.urls or []
    if any(url[:5].lower() == "data:" for url in urls):
        raise BadMessageError("urls: a data URL; give it in `images`", field="urls")
    bodies = await fetch_images(urls, settings) if urls else []
    files = [_File(_name_of(url), body) for url, body in zip(urls, bodies, strict=True)]
    files += await run_in_threadpool(_open_texts, "images", options.images or [], settings.max_image_mb)
    files += [_File(f"texts.{number}", text.encode(), "text") for number, text in enumerate(options.texts or [])]
    files += await run_in_threadpool(_open_texts, "sounds", options.sounds or [], settings.max_sound_mb)
    return options, files


def _open_texts(field: str, texts: list[str], max_mb: float) -> list[_File]:
    medium: Medium = "audio" if field == "sounds" else "image"
    names = [f"{field}.{number}" for number in range(len(texts))]
    return [_File(name, open_base64(text, name, max_mb), medium) for name, text in zip(names, texts, strict=True)]


def _make_job(options: JobOptions, files: list[_File], settings: Settings, idempotency_key: str | None) -> Upload:
    """Checks and hashes every byte: not for the event loop."""
    media = registry().get(options.pipeline).accepts
    frames = [_new_item(file, options.captured_at, settings, media) for file in files]
    job, pixels = make_job(
        frames,
        settings,
        pipeline=options.pipeline,
        lane=options.lane,
        source_id=options.source_id,
        sequence=sequence_of(frames, is_said=options.sequence),
        options=options.options,
        idempotency_key=idempotency_key,
    )
    return Upload(job, pixels, notes_on(frames, job))


def _new_item(file: _File, captured_at: datetime | None, settings: Settings, accepts: Collection[Medium]) -> NewItem:
    """The name is the client's word: its folders are cut off, and it is only ever shown."""
    name, limits = file.name.replace("\\", "/").rpartition("/")[2][-255:], ImageLimits.of(settings)
    at, source = (datetime.now(UTC), "received") if captured_at is None else (captured_at, "caller")
    if file.medium == "text":
        return NewText(decode_text(file.data, name), at, name, time_from=source)
    if file.medium == "audio" or (file.medium is None and "audio" in accepts and not _is_picture(file.data)):
        return NewSound(file.data, at, name, time_from=source)
    try:
        frame = NewFrame.photo(file.data, name, limits=limits, captured_at=captured_at)
        check_image(frame.data, max_mb=limits.max_mb, max_mpx=limits.max_mpx)
    except BadImageError as error:
        raise BadImageError(f"file {file.name[:255]!r}: {error}") from error
    return frame


def _is_picture(data: bytes) -> bool:
    return format_of(data) is not None or is_convertible(name_kind(data[:HEAD_BYTES]))


def _name_of(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])

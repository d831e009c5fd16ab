"""`POST /v1/audio/transcriptions`: a recording becomes a job of the pipeline `transcribe`, its text the response."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from producers.api.access.auth import Caller, caller_of, require
from producers.api.middleware.problems import NotFoundError, UnsupportedTypeError, refusal
from producers.api.openai.errors import described
from producers.api.openai.models import ALWAYS
from producers.api.openai.waiting import Waiter
from producers.api.services import Given
from sightline.delivery.only_result import only_result
from sightline.errors import BadMessageError
from sightline.pipelines.speech import Segment, TranscribeOptions, TranscribeResult
from sightline.pipelines.transcripts import FORMS
from sightline.settings import Settings
from sightline.submission.jobs import make_job
from sightline.submission.sounds import NewSound
from sightline.types import JobResult, Lane, Pipeline
from sightline.wire.messages import Job
from storage.access.keys import Role

router = APIRouter(
    prefix="/v1/audio", tags=["speech"], responses=ALWAYS, dependencies=[Depends(require(Role.OPERATOR))]
)

_FILE: Final = "file"
_GRANULARITIES: Final = "timestamp_granularities"
_MAX_FIELDS: Final = 16
_MAX_FIELD_BYTES: Final = 8192
#: What changes an answer and is not done, by name: the values that ask for nothing, and what to do.
_UNSUPPORTED: Final = {
    "stream": (("false", "False", "0", ""), "the text is given when all of it is read; leave it out"),
    "include": ((), "likelihoods are not told; leave it out"),
    "include[]": ((), "likelihoods are not told; leave it out"),
}
#: What clients send where they know no other.
_ALWAYS_KNOWN: Final = ("default", "whisper-1")


class TranscriptionRequest(BaseModel):
    """What a form says beside its `file`. What it does not know, such as `chunking_strategy`, is passed over."""

    model_config = ConfigDict(extra="ignore")

    model: str = "default"
    language: str | None = None
    prompt: str | None = None
    temperature: float | None = None
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json"] = "json"
    timestamp_granularities: tuple[Literal["word", "segment"], ...] = ()
    lane: Annotated[Lane, Field(description="Who is served first: interactive > live > bulk.")] = Lane.INTERACTIVE


class Transcription(BaseModel):
    """The text; `words` and `segments` with their times in `verbose_json`."""

    model_config = ConfigDict(extra="allow")

    text: str


def _body() -> dict[str, Any]:
    fields = TranscriptionRequest.model_json_schema(ref_template="#/components/schemas/{model}")["properties"]
    fields["lane"] = {"$ref": "#/components/schemas/Lane"}
    fields[f"{_GRANULARITIES}[]"] = fields.pop(_GRANULARITIES)
    file = {"type": "string", "format": "binary", "description": "A recording, or a video with sound."}
    schema = {"type": "object", "required": [_FILE], "properties": {_FILE: file, **fields}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


@router.post(
    "/transcriptions",
    summary="Read what is said in a recording",
    response_model=Transcription,
    responses=described(404, 408, 410, 413, 415, 500),
    openapi_extra=_body(),
)
async def create_transcription(request: Request, services: Given) -> Response:
    """The text, when all of it is read, in the form that `response_format` says.

    A client that goes away cancels its job. For hours of sound, or to come back for the result: `POST /v1/jobs`.
    """
    asked, sound = await _read(request, services.settings)
    _require_model(asked.model, services.settings)
    caller = await caller_of(request)
    job, stored = await run_in_threadpool(_make_job, asked, sound, services.settings, caller)
    del sound
    await run_in_threadpool(services.publisher.publish, job, stored)
    del stored  # the wait may be long
    result = transcript_of(await Waiter(request, services, job.job_id, keeps_job=False).result())
    return _response(result, asked)


def transcript_of(result: JobResult) -> TranscribeResult:
    """The transcript of a job of one recording. Raises as `only_result` does."""
    found = only_result(result, lambda _message: _FILE)
    assert isinstance(found, TranscribeResult)
    return found


async def _read(request: Request, settings: Settings) -> tuple[TranscriptionRequest, NewSound]:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise UnsupportedTypeError("content-type: send multipart/form-data: curl -F file=@call.wav -F model=default")
    try:
        async with request.form(max_files=1, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES) as form:
            return _fields(form), await _sound(form, settings)
    except HTTPException as error:
        raise BadMessageError(f"form: {error.detail.rstrip('.')}", field=_FILE) from error


def _fields(form: FormData) -> TranscriptionRequest:
    fields: dict[str, Any] = {name: value for name, value in form.multi_items() if name != _FILE}
    for name in (_GRANULARITIES, f"{_GRANULARITIES}[]"):
        if name in fields:
            del fields[name]
            fields[_GRANULARITIES] = form.getlist(name)
    for name in fields.keys() & _UNSUPPORTED.keys():
        nothing, cure = _UNSUPPORTED[name]
        if fields[name] not in nothing:
            raise BadMessageError(f"{name}: {fields[name]!r:.80} is not supported; {cure}", field=name)
    try:
        asked = TranscriptionRequest.model_validate(fields)
        TranscribeOptions.model_validate(_options(asked))
    except ValidationError as error:
        raise refusal(error) from error
    if asked.timestamp_granularities and asked.response_format != "verbose_json":
        raise BadMessageError(
            f"{_GRANULARITIES}: only with response_format=verbose_json, got {asked.response_format!r}",
            field=_GRANULARITIES,
        )
    return asked


async def _sound(form: FormData, settings: Settings) -> NewSound:
    file = form.get(_FILE)
    if not isinstance(file, UploadFile):
        raise BadMessageError("file: none given; send a recording as curl -F file=@call.wav (with @)", field=_FILE)
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2][-255:]
    if file.size is not None and file.size > settings.max_sound_mb * 1_000_000:  # before it is taken into memory
        raise BadMessageError(
            f"file: {name!r} has {file.size / 1_000_000:.1f} MB, at most {settings.max_sound_mb:g} MB; compress it, as "
            "to Opus or AAC, or cut it",
            field=_FILE,
        )
    return NewSound(await file.read(), datetime.now(UTC), name, time_from="received")


def _require_model(model: str, settings: Settings) -> None:
    """Raises NotFoundError: there is none of this name; says which there are."""
    known = dict.fromkeys(filter(None, (*_ALWAYS_KNOWN, settings.speech_model, settings.speech_engine)))
    if model not in known:
        raise NotFoundError("model", model, hint=f"there is {', '.join(known)}, which all mean the one of the workers")


def _options(asked: TranscriptionRequest) -> dict[str, Any]:
    given = {"language": asked.language, "prompt": asked.prompt, "temperature": asked.temperature}
    return {name: value for name, value in given.items() if value}  # clients send 0 and "" for what is not said


def _make_job(
    asked: TranscriptionRequest, sound: NewSound, settings: Settings, caller: Caller
) -> tuple[Job, dict[str, bytes]]:
    """Checks and hashes every byte: not for the event loop."""
    source = f"speech.{re.sub(r'[^A-Za-z0-9_.-]', '-', caller.name)}"[:64]
    options = _options(asked)
    return make_job([sound], settings, pipeline=Pipeline.TRANSCRIBE, lane=asked.lane, source_id=source, options=options)


def _response(result: TranscribeResult, asked: TranscriptionRequest) -> Response:
    if asked.response_format == "json":
        return Response(Transcription(text=result.text or "").model_dump_json(), media_type="application/json")
    if asked.response_format == "verbose_json":
        return Response(_verbose(result, asked).model_dump_json(), media_type="application/json")
    form = "txt" if asked.response_format == "text" else asked.response_format
    return Response(FORMS[form](result), media_type="text/plain")


def _verbose(result: TranscribeResult, asked: TranscriptionRequest) -> Transcription:
    wanted = asked.timestamp_granularities or ("segment",)
    more: dict[str, Any] = {
        "task": "transcribe",
        "language": result.language or "",
        "duration": result.duration_s or 0.0,
    }
    if "segment" in wanted:
        more["segments"] = [_segment(number, segment) for number, segment in enumerate(result.segments)]
    if "word" in wanted:
        words = (word for segment in result.segments for word in segment.words)
        more["words"] = [{"word": word.text, "start": word.start_s, "end": word.end_s} for word in words]
    if result.missing:
        more["missing"] = [piece.model_dump() for piece in result.missing]
    return Transcription(text=result.text or "", **more)


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    """What is known of one: engines do not tell all that OpenAI's does."""
    told = {"id": number, "start": segment.start_s, "end": segment.end_s, "text": segment.text}
    return told if not segment.confidence else told | {"avg_logprob": round(math.log(segment.confidence), 4)}

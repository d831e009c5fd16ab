"""`POST /v1/chat/completions`: a question becomes a job of the pipeline `chat`, and its answer the response."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from producers.api.access.audit_trail import new_act
from producers.api.access.auth import Caller, caller_of, require
from producers.api.access.token_limit import Published, publish_for
from producers.api.middleware.problems import refusal
from producers.api.openai.errors import described
from producers.api.openai.history import forget, note, with_history
from producers.api.openai.lookups import found_for, look_up
from producers.api.openai.models import ALWAYS, require_model
from producers.api.openai.streaming import StreamedAnswer, stream_answer
from producers.api.openai.waiting import Waiter
from producers.api.services import ApiServices, Given
from producers.api.uploads.url_fetch import fetch_images
from sightline.chat.completion import ChatCompletion, Chunks, completion_of
from sightline.chat.held_schemas import check_held
from sightline.chat.lookups.named import Found
from sightline.chat.lookups.told import prompt_of
from sightline.chat.pieces import answer_of
from sightline.chat.question import question_of, urls_of
from sightline.chat.request import ChatRequest
from sightline.settings import Settings
from sightline.submission.jobs import make_job
from sightline.types import Pipeline
from sightline.wire.messages import Job
from storage.access.audit_log import record
from storage.access.keys import Role
from storage.database.acting import DONE

router = APIRouter(prefix="/v1/chat", tags=["chat"], responses=ALWAYS, dependencies=[Depends(require(Role.OPERATOR))])

_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ChatRequest"}}},
    }
}
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="The same question with the same key is one job, which goes on when the client goes away.",
    ),
]


@router.post(
    "/completions",
    summary="Ask a language model",
    response_model=ChatCompletion,
    responses=described(404, 408, 410, 413, 415, 500),
    openapi_extra=_BODY,
)
async def create_chat_completion(request: Request, services: Given, idempotency_key: IdempotencyKey = None) -> Response:
    """The answer, when it is there; with `stream` as it comes, as server-sent events that end with `data: [DONE]`.

    A client that goes away cancels its question, unless it said `background` or gave an `Idempotency-Key`.
    """
    asked = await _read(request)
    require_model(asked.model, services.settings)
    caller, said = await caller_of(request), asked
    fetched = await _fetch(asked, services.settings)
    if asked.conversation is not None:
        asked = await run_in_threadpool(with_history, asked, fetched, services, caller, idempotency_key)
    found = await _look_up(request, asked, services) if asked.lookups else None
    asked = asked.with_question(prompt_of(asked.question(), found)) if found else asked
    job, stored = await run_in_threadpool(_make_job, asked, fetched, services.settings, caller, idempotency_key)
    published = await run_in_threadpool(_publish, said, caller, services, job, stored, idempotency_key)
    del fetched, stored  # the wait may be long
    keeps_job = asked.background or idempotency_key is not None
    waiter = Waiter(request, services, job.job_id, keeps_job=keeps_job)
    model = services.settings.chat_model_name if asked.model == "default" else asked.model
    created = int(time.time())
    if not asked.stream:
        answer = answer_of(await waiter.result())
        completion = completion_of(answer, job.job_id, model=model, created=created, lookups=found)
        return Response(completion.model_dump_json(), headers=published.headers, media_type="application/json")
    include_usage = asked.stream_options is not None and asked.stream_options.include_usage
    chunks = Chunks(job.job_id, model=model, created=created, include_usage=include_usage, lookups=found)
    events = stream_answer(services, job.job_id, chunks)
    return StreamedAnswer(await waiter.unless_gone(anext(events)), events, waiter, published.headers)


async def _read(request: Request) -> ChatRequest:
    try:
        return ChatRequest.model_validate_json(await request.body())
    except ValidationError as error:
        raise refusal(error) from error


async def _look_up(request: Request, asked: ChatRequest, services: ApiServices) -> list[Found]:
    """What is stored of what is asked. Whoever looks leaves an entry in the audit log, here as with `/v1/lookups`."""
    question = asked.question()
    found = await run_in_threadpool(found_for, services, question, asked.asked_at)
    act = new_act(request, await caller_of(request), look_up.__name__, {"question": question})
    await run_in_threadpool(record, services.database, act, DONE)
    return found


async def _fetch(asked: ChatRequest, settings: Settings) -> dict[str, bytes]:
    urls = urls_of(asked)
    return dict(zip(urls, await fetch_images(urls, settings), strict=True)) if urls else {}


def _make_job(
    asked: ChatRequest, fetched: Mapping[str, bytes], settings: Settings, caller: Caller, idempotency_key: str | None
) -> tuple[Job, dict[str, bytes]]:
    """Checks every byte: not for the event loop."""
    items, options = question_of(asked, fetched, settings)
    if settings.chat_engine == "openvino":
        check_held(asked)
    given: dict[str, Any] = options
    return make_job(
        items,
        settings,
        pipeline=Pipeline.CHAT,
        lane=asked.lane,
        source_id=_source_of(caller),
        options=given,
        idempotency_key=idempotency_key,
    )


def _publish(
    said: ChatRequest,
    caller: Caller,
    services: ApiServices,
    job: Job,
    stored: Mapping[str, bytes],
    idempotency_key: str | None,
) -> Published:
    if said.conversation is None:
        return publish_for(caller, services, job, stored)
    is_new = note(said, services, caller, job, idempotency_key)
    try:
        return publish_for(caller, services, job, stored)
    except BaseException:
        if is_new:
            forget(said, services, job)
        raise


def _source_of(caller: Caller) -> str:
    """A source for each key: what one may have open is none of the others' business, and nor is its erasure."""
    return f"chat.{re.sub(r'[^A-Za-z0-9_.-]', '-', caller.name)}"[:64]

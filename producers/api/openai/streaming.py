"""A streamed answer: server-sent events as OpenAI's clients read them, ended by `data: [DONE]`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from producers.api.openai.waiting import Waiter
from producers.api.routes.job_events import listen
from producers.api.services import ApiServices
from sightline.chat.completion import Chunks
from sightline.chat.errors import error_body
from sightline.chat.pieces import AnswerPieces, answer_of
from sightline.errors import AnswerError, SightlineError
from sightline.redaction import redact_text

#: So long may a question wait in the queue, or an answer say nothing.
_SILENT_S: Final = 3600.0
_STILL_THERE: Final = ": still there\n\n"
_DONE: Final = "data: [DONE]\n\n"


async def stream_answer(services: ApiServices, job_id: str, chunks: Chunks) -> AsyncIterator[str]:
    """The events of an answer.

    Raises as `AnswerPieces.take` does.
    """
    pieces = AnswerPieces()
    async for event in listen(services, job_id, silent_s=_SILENT_S):
        if event is None:
            yield _STILL_THERE
            continue
        if text := pieces.take(event):
            yield _data(chunks.piece(text))
        if event.result is not None:
            yield "".join(map(_data, chunks.end(answer_of(event.result)))) + _DONE
            return
    raise AnswerError(f"job {job_id}: nothing came for {_SILENT_S:g} s; it goes on", reason="wait_timeout")


class StreamedAnswer(StreamingResponse):
    """Begins with its first event, so that what is wrong until then is told by the status. Cancels the job of a client
    that goes away before the end."""

    def __init__(
        self, first: str, events: AsyncIterator[str], waiter: Waiter, headers: Mapping[str, str] | None = None
    ) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", **(headers or {})}
        super().__init__(self._all(first, events), media_type="text/event-stream", headers=headers)
        self._waiter = waiter
        self._has_ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if not self._has_ended:
                self._waiter.give_up()

    async def _all(self, first: str, events: AsyncIterator[str]) -> AsyncIterator[str]:
        try:
            yield first
            async for event in events:
                yield event
            self._has_ended = True
        except SightlineError as error:  # the status was sent: it is told in the stream, and nobody waits any more
            yield _data(error_body(redact_text(str(error)), 500, code=error.reason)) + _DONE


def _data(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"

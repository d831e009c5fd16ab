"""The same questions as jobs: published, taken off the queue by a worker, streamed, stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.chat.measured import Answers
from sightline.capacity.system import System
from sightline.chat.pieces import answer_of
from sightline.delivery.delta_stream import AsyncDeltaStream
from sightline.ids import new_id
from sightline.redis.connection import connect_async
from sightline.types import Item, Lane, Part, Pipeline
from sightline.wire.messages import Job

_SILENT_S = 600


def job_of(text: str, max_tokens: int, lane: Lane) -> Job:
    item = Item(
        frame_id=new_id(),
        source_id="chat",
        captured_at=datetime.now(UTC),
        parts=(Part(medium="text", text=text),),
        options={"max_tokens": max_tokens, "temperature": 0.0},
    )
    return Job(job_id=new_id(), pipeline=Pipeline.CHAT, lane=lane, frames=(item,))


def publish_bulk(system: System, texts: Sequence[str], max_tokens: int) -> None:
    for text in texts:
        system.publisher.publish(job_of(text, max_tokens, Lane.BULK), {})


def ask_queued(system: System, texts: Sequence[str], max_tokens: int) -> Answers:
    """All at once, each by somebody who listens."""
    return asyncio.run(_ask(system, texts, max_tokens))


async def _ask(system: System, texts: Sequence[str], max_tokens: int) -> Answers:
    answers = Answers()
    client = connect_async(system.settings.redis_url)
    stream = AsyncDeltaStream(client)
    jobs = [job_of(text, max_tokens, Lane.INTERACTIVE) for text in texts]
    began = time.perf_counter()
    listeners = [asyncio.create_task(_listen(stream, job.job_id, answers)) for job in jobs]
    await asyncio.to_thread(lambda: [system.publisher.publish(job, {}) for job in jobs])
    await asyncio.gather(*listeners)
    answers.seconds = time.perf_counter() - began
    await client.aclose()
    return answers


async def _listen(stream: AsyncDeltaStream, job_id: str, answers: Answers) -> None:
    began, has_heard = time.perf_counter(), False
    async for event in stream.listen(job_id, silent_s=_SILENT_S):
        now_ms = (time.perf_counter() - began) * 1000
        if event.event == "delta" and not has_heard:
            has_heard = True
            answers.first_ms.append(now_ms)
        elif event.event == "result":
            assert event.result is not None
            answer = answer_of(event.result)
            assert answer.answer_tokens is not None
            answers.whole_ms.append(now_ms)
            answers.tokens += answer.answer_tokens

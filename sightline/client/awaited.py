"""The same client, awaited: for services that run on asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final, Self, TypeVar
from weakref import WeakKeyDictionary

from sightline.client.answers import Audit, Camera, Finding, Passage
from sightline.client.asking import Moment
from sightline.client.client import Sightline
from sightline.client.images import Image
from sightline.client.many import Done, submit_many_async
from sightline.errors import WaitTimeoutError
from sightline.pipelines import DEFAULT
from sightline.settings import Settings
from sightline.types import JobResult, Lane, Pipeline
from sightline.wire.messages import Job

if TYPE_CHECKING:
    from sightline.delivery.delta_stream import StreamEvent

#: Rows for which a thread is asked at once.
_AT_ONCE: Final = 100


_Row = TypeVar("_Row")


async def _in_threads(rows: Iterator[_Row]) -> AsyncIterator[_Row]:
    """The same, fetched aside."""
    while some := await asyncio.to_thread(list, islice(rows, _AT_ONCE)):
        for row in some:
            yield row


class AsyncSightline:
    """The client for asyncio. Publishing and asking run in a thread; waiting holds one connection, no thread."""

    def __init__(self, settings: Settings | None = None, *, url: str | None = None, api_key: str | None = None) -> None:
        self._sync = Sightline(settings, url=url, api_key=api_key)
        self._opened: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()

    async def submit(
        self,
        *images: Image,
        text: str | Sequence[str] = (),
        sound: Image | Sequence[Image] = (),
        pipeline: Pipeline | str = DEFAULT,
        lane: Lane | str = Lane.INTERACTIVE,
        source_id: str = "python",
        captured_at: datetime | None = None,
        sequence: bool = False,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncSubmittedJob:
        """See `Sightline.submit`."""
        submitted = await asyncio.to_thread(
            self._sync.submit,
            *images,
            text=text,
            sound=sound,
            pipeline=pipeline,
            lane=lane,
            source_id=source_id,
            captured_at=captured_at,
            sequence=sequence,
            options=options,
            idempotency_key=idempotency_key,
        )
        return AsyncSubmittedJob(submitted.job, self, submitted.notes)

    def submit_many(
        self, inputs: Iterable[Any], *, at_once: int = 32, timeout_s: float = 600.0, **how: Any
    ) -> AsyncIterator[Done]:
        """See `Sightline.submit_many`; who waits holds no thread."""
        return submit_many_async(self, inputs, at_once=at_once, timeout_s=timeout_s, how=how)

    async def wait(self, job_id: str, timeout_s: float = 30.0) -> JobResult:
        """See `Sightline.wait`."""
        result = await self._waiting.wait(job_id, timeout_s)
        if result is None:
            raise await asyncio.to_thread(self._timed_out, job_id, timeout_s)
        return result

    async def stream(self, job_id: str, last_id: str = "0", *, silent_s: float = 60.0) -> AsyncIterator[StreamEvent]:
        """See `Sightline.stream`."""
        event = None
        async for event in self._waiting.stream(job_id, last_id, silent_s):
            yield event
        if event is None or event.result is None:
            raise await asyncio.to_thread(self._timed_out, job_id, silent_s)

    async def cancel(self, job_id: str) -> bool:
        """See `Sightline.cancel`."""
        return await asyncio.to_thread(self._sync.cancel, job_id)

    async def passages(
        self,
        text: str | None = None,
        *,
        like: float | None = None,
        likely: bool = False,
        on_list: str | None = None,
        country: str | None = None,
        zone: str | None = None,
        source: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int = 100,
    ) -> AsyncIterator[Passage]:
        """See `Sightline.passages`."""
        found = self._sync.passages(
            text,
            like=like,
            likely=likely,
            on_list=on_list,
            country=country,
            zone=zone,
            source=source,
            since=since,
            until=until,
            limit=limit,
        )
        async for passage in _in_threads(found):
            yield passage

    async def export_passages(self, to: str | Path | IO[bytes], text: str | None = None, **filters: Any) -> None:
        """See `Sightline.export_passages`, whose arguments it takes; the file is written in a thread."""
        await asyncio.to_thread(self._sync.export_passages, to, text, **filters)

    async def correct_passage(self, passage_id: str, text: str | None) -> Passage:
        """See `Sightline.correct_passage`."""
        return await asyncio.to_thread(self._sync.correct_passage, passage_id, text)

    async def findings(
        self,
        pipeline: str | None = None,
        *,
        kind: str | None = None,
        job_id: str | None = None,
        source: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int = 100,
    ) -> AsyncIterator[Finding]:
        """See `Sightline.findings`."""
        found = self._sync.findings(
            pipeline, kind=kind, job_id=job_id, source=source, since=since, until=until, limit=limit
        )
        async for finding in _in_threads(found):
            yield finding

    async def cameras(self) -> list[Camera]:
        """See `Sightline.cameras`."""
        return await asyncio.to_thread(self._sync.cameras)

    async def audit(self, since: Moment | None = None, until: Moment | None = None) -> Audit:
        """See `Sightline.audit`."""
        return await asyncio.to_thread(self._sync.audit, since, until)

    async def close(self) -> None:
        self._sync.close()
        waiting = self._opened.pop(asyncio.get_running_loop(), None)
        if waiting is not None:
            await waiting.close()

    def _timed_out(self, job_id: str, timeout_s: float) -> WaitTimeoutError:
        return self._sync._jobs.timed_out(job_id, timeout_s)  # pyright: ignore[reportPrivateUsage]

    @property
    def _waiting(self) -> Any:
        """Connections belong to an event loop, and loops to a process."""
        if self._sync.is_over_http:
            from sightline.client.over_http import AsyncOverHttp as Over
        else:
            from sightline.client.over_redis import AsyncOverRedis as Over
        loop = asyncio.get_running_loop()
        if loop not in self._opened:
            self._opened[loop] = Over(self._sync.settings)
        return self._opened[loop]

    def __getstate__(self) -> dict[str, Any]:
        return {"_sync": self._sync}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state | {"_opened": WeakKeyDictionary()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


@dataclass(frozen=True)
class AsyncSubmittedJob:
    """The same as `SubmittedJob`, awaited."""

    job: Job
    _client: AsyncSightline
    notes: tuple[str, ...] = ()

    @property
    def job_id(self) -> str:
        return self.job.job_id

    async def wait(self, timeout_s: float = 30.0) -> JobResult:
        """See `SubmittedJob.wait`."""
        return await self._client.wait(self.job_id, timeout_s)

    def stream(self, last_id: str = "0", *, silent_s: float = 60.0) -> AsyncIterator[StreamEvent]:
        """See `SubmittedJob.stream`."""
        return self._client.stream(self.job_id, last_id, silent_s=silent_s)

    async def pieces(self, *, silent_s: float = 60.0) -> AsyncIterator[str]:
        """See `SubmittedJob.pieces`."""
        from sightline.chat.pieces import AnswerPieces

        pieces = AnswerPieces()
        async for event in self.stream(silent_s=silent_s):
            if text := pieces.take(event):
                yield text

    async def cancel(self) -> bool:
        """See `SubmittedJob.cancel`."""
        return await self._client.cancel(self.job_id)

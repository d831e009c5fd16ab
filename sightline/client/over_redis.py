"""The Python client's way straight to the broker and the frame store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import cached_property

from sightline.delivery.delta_stream import AsyncDeltaStream, DeltaStream, StreamEvent
from sightline.delivery.publisher import Publisher
from sightline.delivery.result_board import AsyncResultBoard, ResultBoard
from sightline.errors import BacklogFullError, WaitTimeoutError
from sightline.redis.connection import connect, connect_async
from sightline.settings import PlaceSettings, Settings
from sightline.types import JobResult
from sightline.wire.messages import Job


class OverRedis:
    """Opens what it needs when it is needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def accept(
        self, job: Job, pixels: dict[str, bytes], _idempotency_key: str | None = None
    ) -> tuple[Job, tuple[str, ...]]:
        """Publish a job. Gives it without the frames that the live lane refused, and what is to be said of its files.

        Raises:
            BacklogFullError, BrokerUnavailableError, StoreUnavailableError: nothing was accepted, or it is not known.
        """
        refused = self.publisher.publish(job, pixels)
        if len(refused) == len(job.frames):
            source_id, most = job.frames[0].source_id, self._settings.live_max_open_frames
            raise BacklogFullError(
                f"backlog full for source {source_id!r}: {most} live frames may be open; try again later",
                source_id=source_id,
            )
        return job.model_copy(update={"frames": tuple(frame for frame in job.frames if frame not in refused)}), ()

    def wait(self, job_id: str, timeout_s: float) -> JobResult | None:
        """The result; None when `timeout_s` passed first."""
        return self._board.wait(job_id, timeout_s)

    def stream(self, job_id: str, last_id: str, silent_s: float) -> Iterator[StreamEvent]:
        """Ends without a result after so much silence."""
        return DeltaStream(self._redis, ttl_s=self._settings.result_ttl_s).listen(job_id, last_id, silent_s=silent_s)

    def timed_out(self, job_id: str, timeout_s: float) -> WaitTimeoutError:
        """The error of whoever waited in vain for a job: it goes on, or nobody has met it."""
        if self.publisher.ledger.which_are_open([job_id]):
            what = f"is not finished after {timeout_s:g} s; it goes on, wait again with its id"
        else:
            what = (
                f"has no result after {timeout_s:g} s and is not known to be open. If you sent it by task name: was it "
                "sent to the broker of this Sightline (SIGHTLINE_REDIS_URL, SIGHTLINE_BROKER_URL), and does a worker "
                "run? Results can be waited for only SIGHTLINE_RESULT_TTL_S long; rows stay"
            )
        return WaitTimeoutError(f"job {job_id} {what}", job_id=job_id)

    def cancel(self, job_id: str) -> bool:
        """Whether there was anything to cancel."""
        return self.publisher.ledger.cancel(job_id)

    def close(self) -> None:
        for name in ("publisher", "_redis"):
            if name in self.__dict__:
                self.__dict__[name].close()

    @cached_property
    def publisher(self) -> Publisher:
        return Publisher.from_settings(self._settings)

    @cached_property
    def _redis(self):
        return connect(self._settings.redis_url)

    @cached_property
    def _board(self) -> ResultBoard:
        return ResultBoard(self._redis, result_ttl_s=self._settings.result_ttl_s)


class AsyncOverRedis:
    """Waits, without a thread."""

    def __init__(self, settings: PlaceSettings) -> None:
        self._redis = connect_async(settings.redis_url)
        self._board = AsyncResultBoard(self._redis)
        self._deltas = AsyncDeltaStream(self._redis)

    async def wait(self, job_id: str, timeout_s: float) -> JobResult | None:
        """See `OverRedis.wait`."""
        return await self._board.wait(job_id, timeout_s)

    def stream(self, job_id: str, last_id: str, silent_s: float) -> AsyncIterator[StreamEvent]:
        """See `OverRedis.stream`."""
        return self._deltas.listen(job_id, last_id, silent_s=silent_s)

    async def close(self) -> None:
        await self._redis.aclose()

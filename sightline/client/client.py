"""Sightline for any Python service: submit images, wait for results. Needs the broker and the frame store, no API."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from sightline.delivery.publisher import Publisher
from sightline.delivery.result_board import AsyncResultBoard, ResultBoard
from sightline.errors import BacklogFullError, BadMessageError, WaitTimeoutError
from sightline.pipelines import DEFAULT
from sightline.redis.connection import connect, connect_async
from sightline.settings import Settings, load_settings
from sightline.submission.jobs import NewFrame, make_job, sequence_of
from sightline.types import JobResult, Lane, Pipeline
from sightline.wire.messages import Job

#: An encoded picture: a path, its bytes, or an open binary file.
Image = str | Path | bytes | bytearray | memoryview | BinaryIO


@dataclass(frozen=True)
class SubmittedJob:
    """A job that was accepted. It ends in the database whether or not somebody waits."""

    job: Job
    _client: Sightline

    @property
    def job_id(self) -> str:
        return self.job.job_id

    def wait(self, timeout_s: float = 30.0) -> JobResult:
        """The result, as soon as it is stored.

        Raises:
            WaitTimeoutError: it is not there yet; the job goes on.
        """
        return self._client.wait(self.job_id, timeout_s)


class Sightline:
    """The client. Settings come from the environment (`SIGHTLINE_REDIS_URL`, ...) unless given.

    Safe to use from several threads, and may be pickled: the copy has connections of its own. Use it as a context
    manager, or call `close`.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()

    def submit(
        self,
        *images: Image,
        pipeline: Pipeline | str = DEFAULT,
        lane: Lane | str = Lane.INTERACTIVE,
        source_id: str = "python",
        captured_at: datetime | None = None,
        sequence: bool = False,
    ) -> SubmittedJob:
        """Submit encoded images (JPEG, PNG, WebP), as paths, bytes or open binary files, as one job.

        An image was taken when `captured_at` says; else when its camera says, in its EXIF; else now.
        `sequence`: the images follow each other, and all others of this source that were submitted so, in the order of
        their times, as pictures of one camera do. Without it each image stands alone, unless its EXIF shows a burst.

        The ids come from the content: submitting the same images again gives the same job and adds nothing.

        Raises:
            TypeError: an image is none of these, such as an array or a list of images.
            OSError: there is no file at that path, or it cannot be read.
            BadImageError: an image is empty, damaged, too large or of another format.
            BadMessageError: a name is wrong (pipeline, lane, source), or an image is a URL.
            BacklogFullError, BrokerUnavailableError, StoreUnavailableError: try again later, with the same images.
        """
        frames = [_new_frame(image, captured_at) for image in images]
        job, pixels = make_job(
            frames,
            self.settings,
            pipeline=pipeline,
            lane=lane,
            source_id=source_id,
            sequence=sequence_of(frames, is_said=sequence),
        )
        refused = self.publisher.publish(job, pixels)
        if len(refused) == len(job.frames):
            most = self.settings.live_max_open_frames
            raise BacklogFullError(
                f"backlog full for source {source_id!r}: {most} live frames may be open; try again later",
                source_id=source_id,
            )
        accepted = tuple(frame for frame in job.frames if frame not in refused)
        return SubmittedJob(job.model_copy(update={"frames": accepted}), self)

    def wait(self, job_id: str, timeout_s: float = 30.0) -> JobResult:
        """The result of a job by its id; see `SubmittedJob.wait`."""
        result = self._board.wait(job_id, timeout_s)
        if result is None:
            raise _timed_out(job_id, timeout_s, self.publisher.ledger.which_are_open([job_id]))
        return result

    def __reduce__(self) -> tuple[type[Self], tuple[Settings]]:
        return type(self), (self.settings,)

    def close(self) -> None:
        for name in ("publisher", "_redis", "_board"):
            part = self.__dict__.pop(name, None)
            if part is not None and name != "_board":
                part.close()

    @cached_property
    def publisher(self) -> Publisher:
        return Publisher.from_settings(self.settings)

    @cached_property
    def _redis(self):
        return connect(self.settings.redis_url)

    @cached_property
    def _board(self) -> ResultBoard:
        return ResultBoard(self._redis, result_ttl_s=self.settings.result_ttl_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncSightline:
    """The client for asyncio. Publishing runs in a thread; waiting holds one connection, no thread."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._sync = Sightline(settings)
        self._redis = connect_async(self._sync.settings.redis_url)
        self._board = AsyncResultBoard(self._redis)

    async def submit(
        self,
        *images: Image,
        pipeline: Pipeline | str = DEFAULT,
        lane: Lane | str = Lane.INTERACTIVE,
        source_id: str = "python",
        captured_at: datetime | None = None,
        sequence: bool = False,
    ) -> AsyncSubmittedJob:
        """See `Sightline.submit`."""
        submitted = await asyncio.to_thread(
            self._sync.submit,
            *images,
            pipeline=pipeline,
            lane=lane,
            source_id=source_id,
            captured_at=captured_at,
            sequence=sequence,
        )
        return AsyncSubmittedJob(submitted.job, self)

    async def wait(self, job_id: str, timeout_s: float = 30.0) -> JobResult:
        """See `Sightline.wait`."""
        result = await self._board.wait(job_id, timeout_s)
        if result is None:
            are_open = await asyncio.to_thread(self._sync.publisher.ledger.which_are_open, [job_id])
            raise _timed_out(job_id, timeout_s, are_open)
        return result

    def __reduce__(self) -> tuple[type[Self], tuple[Settings]]:
        return type(self), (self._sync.settings,)

    async def close(self) -> None:
        self._sync.close()
        await self._redis.aclose()

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

    @property
    def job_id(self) -> str:
        return self.job.job_id

    async def wait(self, timeout_s: float = 30.0) -> JobResult:
        """See `SubmittedJob.wait`."""
        return await self._client.wait(self.job_id, timeout_s)


def _new_frame(image: Image, captured_at: datetime | None) -> NewFrame:
    data, name = _read(image)
    return NewFrame.photo(data, name, captured_at=captured_at)


def _read(image: Any) -> tuple[bytes, str]:
    """The bytes of an image and its name."""
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image), ""
    if isinstance(image, str) and image.lower().startswith(("http://", "https://", "data:")):
        cure = "submit its bytes, or post it to the API as one of `urls`, which fetches public addresses only"
        raise BadMessageError(f"images: {image[:80]!r} is a URL, not a path; {cure}", field="images")
    if isinstance(image, str | Path):
        return Path(image).read_bytes(), Path(image).name
    data = image.read() if callable(getattr(image, "read", None)) else None
    if not isinstance(data, bytes):
        raise TypeError(f"images: {_kind(image)}; each is a path, bytes or an open binary file: {_cure(image)}")
    return data, Path(str(getattr(image, "name", ""))).name


def _kind(image: Any) -> str:
    return f"{type(image).__module__}.{type(image).__qualname__}".removeprefix("builtins.")


def _cure(image: Any) -> str:
    """What whoever gave this wanted to write."""
    if isinstance(image, list | tuple | set):
        return "submit(*images)"
    if hasattr(image, "save") and hasattr(image, "mode"):
        return 'of a Pillow image, image.save(buffer, "JPEG") into an io.BytesIO'
    if hasattr(image, "shape"):
        return 'of an array, cv2.imencode(".jpg", array)[1].tobytes()'
    return 'open(path, "rb")'


def _timed_out(job_id: str, timeout_s: float, are_open: set[str]) -> WaitTimeoutError:
    if job_id in are_open:
        what = f"is not finished after {timeout_s:g} s; it goes on, wait again with its id"
    else:
        what = (
            f"has no result after {timeout_s:g} s and is not known to be open. If you sent it by task name: was it "
            "sent to the broker of this Sightline (SIGHTLINE_REDIS_URL, SIGHTLINE_BROKER_URL), and does a worker run? "
            "Results can be waited for only SIGHTLINE_RESULT_TTL_S long; rows stay"
        )
    return WaitTimeoutError(f"job {job_id} {what}", job_id=job_id)

"""Much submitted and waited for, some of it at once: in threads or on an event loop, with the same outcome."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sightline.errors import BacklogFullError, BadMessageError, SightlineError
from sightline.types import JobResult

if TYPE_CHECKING:
    from sightline.client.awaited import AsyncSightline
    from sightline.client.client import Sightline

Given = TypeVar("Given")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Done:
    """How one of many ended: with a result, in which items may be dead, or with the error that submitting or waiting
    for it raised. Where `submit` raises a `TypeError` or an `OSError` it is a `BadMessageError` with that as its cause.
    """

    given: Any
    result: JobResult | None = None
    error: SightlineError | None = None


def submit_many(
    client: Sightline, inputs: Iterable[Any], *, at_once: int, timeout_s: float, how: Mapping[str, Any]
) -> Iterator[Done]:
    """See `Sightline.submit_many`."""
    _check(at_once)
    _check_common(client.submit, how)
    stop = threading.Event()

    def work(given: Any) -> Done:
        images, arguments = _split(given, how)
        try:
            while True:
                try:
                    job = client.submit(*images, **arguments)
                    break
                except BacklogFullError as full:
                    if stop.wait(full.retry_after_s):
                        raise
            return Done(given, job.wait(timeout_s))
        except (SightlineError, OSError, TypeError) as error:
            return Done(given, error=_as_ours(error))

    pool = ThreadPoolExecutor(at_once, thread_name_prefix="submit-many")
    waiting: deque[Future[Done]] = deque()
    try:
        for given in inputs:
            if len(waiting) >= at_once:
                yield waiting.popleft().result()
            waiting.append(pool.submit(work, given))
        while waiting:
            yield waiting.popleft().result()
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


async def submit_many_async(
    client: AsyncSightline, inputs: Iterable[Any], *, at_once: int, timeout_s: float, how: Mapping[str, Any]
) -> AsyncIterator[Done]:
    """See `AsyncSightline.submit_many`."""
    _check_common(client.submit, how)

    async def work(given: Any) -> Done:
        images, arguments = _split(given, how)
        try:
            while True:
                try:
                    job = await client.submit(*images, **arguments)
                    break
                except BacklogFullError as full:
                    await asyncio.sleep(full.retry_after_s)
            return Done(given, await job.wait(timeout_s))
        except (SightlineError, OSError, TypeError) as error:
            return Done(given, error=_as_ours(error))

    async for done in in_order(work, inputs, at_once=at_once):
        yield done


async def in_order(
    work: Callable[[Given], Coroutine[Any, Any, Outcome]], inputs: Iterable[Given], *, at_once: int
) -> AsyncIterator[Outcome]:
    """What the work on each input gives, in their order, while so many are worked on."""
    _check(at_once)
    waiting: deque[asyncio.Task[Outcome]] = deque()
    try:
        for given in inputs:
            if len(waiting) >= at_once:
                yield await waiting.popleft()
            waiting.append(asyncio.create_task(work(given)))
        while waiting:
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()


def _check(at_once: int) -> None:
    if at_once < 1:
        raise BadMessageError(f"at_once: {at_once} given; give 1 or more", field="at_once")


def _as_ours(error: SightlineError | OSError | TypeError) -> SightlineError:
    if isinstance(error, SightlineError):
        return error
    ours = BadMessageError(str(error))
    ours.__cause__ = error
    return ours


def _check_common(submit: Callable[..., Any], how: Mapping[str, Any]) -> None:
    """Raises TypeError: `submit` has no argument of such a name, whatever the input."""
    inspect.signature(submit).bind_partial(**how)


def _split(given: Any, how: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What is given by place and by name to `submit`."""
    return ((), {**how, **given}) if isinstance(given, Mapping) else ((given,), dict(how))

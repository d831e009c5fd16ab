"""What a thread works on, so that each line of its log can say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class _Item(Protocol):
    @property
    def frame_id(self) -> str: ...
    @property
    def source_id(self) -> str: ...


class Work(Protocol):
    """A job, as far as a log goes."""

    @property
    def job_id(self) -> str: ...
    @property
    def frames(self) -> Sequence[_Item]: ...
    @property
    def traceparent(self) -> str | None: ...


_work: ContextVar[Work | None] = ContextVar("work", default=None)


@contextmanager
def working_on(job: Work) -> Iterator[None]:
    """What is logged inside is about this job. Nothing is looked up until something is."""
    token = _work.set(job)
    try:
        yield
    finally:
        _work.reset(token)


def known_of_work() -> dict[str, str]:
    """The job; its source and frame where it has just one."""
    job = _work.get()
    if job is None:
        return {}
    known = {"job": job.job_id}
    sources = {item.source_id for item in job.frames}
    if len(sources) == 1:
        known["source"] = sources.pop()
    if len(job.frames) == 1:
        known["frame"] = job.frames[0].frame_id
    if job.traceparent is not None:
        known["trace"] = job.traceparent.split("-")[1]
    return known

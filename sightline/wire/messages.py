"""What crosses a queue: one versioned, validated, JSON-able shape for every stage. Never pixels.

A producer sends `{"v": 1, "job": {...}}` to the first task of a pipeline; each stage adds `results`, one per item in
the order of the job's, and passes the message on. `docs/reference/wire.md` shows the JSON for callers without
this package.
"""

from __future__ import annotations

import re
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from sightline.errors import BadMessageError, NewerMessageError
from sightline.pipelines import (
    DEFAULT,
    KnownPipeline,
    are_of,
    as_results,
    check_items,
    has_own_type,
    per_item,
    registry,
)
from sightline.tracing import read_traceparent
from sightline.types import AnyResult, Item, ItemResult, JobId, Lane, Pipeline, Value

MAX_FRAMES_PER_JOB = 64
#: Parts that a stage cuts a job into, at most.
MAX_SHARDS: Final = 256
VERSION: Final = 1
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")


#: The year 2100. Milliseconds and microseconds are far beyond it.
_LATEST_S: Final = 4_102_444_800


def _in_seconds(value: object) -> object:
    if not isinstance(value, int | float) or not 0 < value < _LATEST_S:
        raise ValueError("must be seconds since 1970 in UTC, as time.time() gives them, not milliseconds")
    return value


EpochSeconds = Annotated[float, BeforeValidator(_in_seconds)]


class Job(Value):
    """One unit of work as its owner sees it: 1..64 items, one pipeline, one lane. Times are epoch seconds."""

    job_id: JobId
    pipeline: KnownPipeline
    lane: Lane = Lane.LIVE
    frames: Annotated[tuple[Item, ...], Field(min_length=1, max_length=MAX_FRAMES_PER_JOB)]
    published_at: EpochSeconds = Field(default_factory=time.time)
    deadline_at: EpochSeconds | None = (
        None  #: later than this the job is dropped instead of processed (live pictures go stale)
    )
    attempt: Annotated[int, Field(ge=1)] = 1
    #: Which trace it belongs to. One that cannot be read is none, as W3C says. Not written where there is none: workers
    #: of before refuse a field that they do not know.
    traceparent: Annotated[
        str | None, BeforeValidator(read_traceparent), Field(exclude_if=lambda given: given is None)
    ] = None
    entered: bool = False  #: its publisher entered it into the ledger; callers without one leave this out

    @property
    def keys(self) -> list[str]:
        """Where the parts of its items lie in the frame store."""
        return [key for item in self.frames for key in item.keys]


#: The context of pydantic for what other processes sent.
_OFF_THE_WIRE: Final = {"off_the_wire": True}


def _as_left(given: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """What a stage of a package left goes to the runner even where it does not fit: it says which item is bad."""
    try:
        return check(given)
    except ValidationError:
        job = info.data.get("job")
        if info.context is _OFF_THE_WIRE or job is None or not has_own_type(job.pipeline):
            raise
        return tuple(given)


class _AsLeft:
    """Only of what is made here: to call a function on JSON would make objects of it first, which takes time."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        here = core_schema.with_info_wrap_validator_function(_as_left, schema)
        return core_schema.json_or_python_schema(schema, here)


class Message(Value):
    """A job on its way through the stages."""

    v: Literal[1] = 1
    job: Job
    #: Empty before the first stage, then one per item, in order.
    results: Annotated[tuple[AnyResult, ...], _AsLeft()] = ()
    shard: Annotated[int, Field(ge=0, lt=MAX_SHARDS)] | None = None  #: the part of what its stage cut; None: the whole
    shards: dict[str, int] | None = None  #: how many parts stages before cut the job into, by their names
    handed_over_at: float = Field(default_factory=time.time)  #: when the previous stage published this message

    @model_validator(mode="after")
    def _one_result_per_item(self, info: ValidationInfo) -> Self:
        if info.context is not _OFF_THE_WIRE and has_own_type(self.job.pipeline):
            return self  # the runner says which item has none
        if self.results and not are_of(self.job.pipeline, self.results, self.job.frames):
            raise ValueError("results must be empty or one per item, in the order of job.frames")
        return self

    def with_results(self, results: Sequence[ItemResult]) -> Self:
        """The message with these results, as its pipeline has them. Raises BadMessageError: they are no such ones."""
        typed = as_results(self.job.pipeline, results)
        return self if typed is self.results else self.model_copy(update={"results": typed})

    def per_item(self) -> Self:
        """The same with a result for each item, as they end and are counted."""
        if len(self.results) in (0, len(self.job.frames)):
            return self
        return self.model_copy(update={"results": per_item(self.results[0], self.job.frames)})

    def dump(self) -> dict[str, Any]:
        """The JSON-able form that is put on the wire."""
        ours = {name for name in ("shard", "shards") if getattr(self, name) is None}  # nothing a caller would give
        return self.model_dump(mode="json", exclude_defaults=False, exclude=ours)

    def pack(self) -> str:
        """The same as text, for between our own processes.

        Celery puts JSON into JSON into JSON: a quote would grow to seven characters, and each be looked at six times.
        """
        return b64encode(self.model_dump_json(exclude_defaults=True).encode()).decode()


class _Elsewhere(Value):
    pipeline: Pipeline


def parse_job(raw: object, *, is_checked_later: bool = False) -> Job:
    """Validate a job. Raises `BadMessageError` as `parse_message` does.

    `is_checked_later`: by another process, which may know a pipeline that is not known here.
    """
    try:
        if is_checked_later and isinstance(raw, Mapping) and registry().find(raw["pipeline"]) is None:
            elsewhere = _Elsewhere(pipeline=raw["pipeline"])
            return Job.model_validate({**raw, "pipeline": DEFAULT}).model_copy(update={"pipeline": elsewhere.pipeline})
        job = Job.model_validate(raw)
    except ValidationError as error:
        raise bad_message(error) from error
    check_items(job.pipeline, job.frames)
    return job


def parse_message(raw: object) -> Message:
    """Validate what came off a queue: the object, or its JSON as base64 text.

    Raises:
        BadMessageError: naming the first wrong field, its value and what was expected. `NewerMessageError` where
            another worker may know better.
    """
    try:
        if isinstance(raw, str):
            message = Message.model_validate_json(b64decode(raw, validate=True), context=_OFF_THE_WIRE)
        else:
            message = Message.model_validate(raw, context=_OFF_THE_WIRE)
    except ValidationError as error:
        raise bad_message(error) from error
    except ValueError as error:
        raise BadMessageError(
            f"message: {raw!r:.80} is neither an object nor the base64 of its JSON", field="message"
        ) from error
    check_items(message.job.pipeline, message.job.frames)
    return message.with_results(message.results)


def bad_message(error: ValidationError) -> BadMessageError:
    """Turn pydantic's report into one sentence about the first wrong field."""
    found = error.errors(include_url=False)
    newer = next((one for one in found if _is_newer(one["loc"], one.get("input"))), None)
    first = newer or found[0]
    field = ".".join(str(part) for part in first["loc"]) or "message"
    value = repr(first.get("input"))
    kind = NewerMessageError if newer else BadMessageError
    return kind(f"{field}: {first['msg']} (got {value[:80]})", field=field)


def _is_newer(where: tuple[int | str, ...], value: object) -> bool:
    """Whether a wrong field may be right for a later version of ours."""
    if where == ("v",):
        return isinstance(value, int) and value > VERSION
    return where[-1:] == ("pipeline",) and isinstance(value, str) and _NAME.fullmatch(value) is not None

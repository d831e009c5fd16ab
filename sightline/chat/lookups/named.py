"""The named queries: what each is called, what it may be given, and what it is to a model that calls tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, JsonValue, ValidationError, model_validator

from sightline.errors import BadMessageError
from sightline.types import SourceId, Value


def _in_any_zone(at: datetime) -> datetime:
    if not 1 < at.year < MAXYEAR:
        raise ValueError("no time that every zone can tell; give a later or an earlier year")
    return at


_Time = Annotated[AwareDatetime, AfterValidator(_in_any_zone)]


class _OfPassages(Value):
    """Which vehicles that passed."""

    source: Annotated[
        tuple[SourceId, ...],
        BeforeValidator(lambda given: (given,) if isinstance(given, str) else given),
        Field(max_length=16, description="Only at these cameras or sources."),
    ] = ()
    since: Annotated[_Time | None, Field(description="From then on, as 2026-01-31T00:00:00+01:00.")] = None
    until: Annotated[_Time | None, Field(description="Before then, written like `since`.")] = None
    plate: Annotated[
        str | None,
        Field(min_length=1, max_length=32, description="Only with this license plate; * and ? are wildcards."),
    ] = None
    list: Annotated[str | None, Field(min_length=1, max_length=32, description="Only on this list of plates.")] = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError(f"`since` {self.since.isoformat()} must be before `until` {self.until.isoformat()}")
        return self


class CountPassages(_OfPassages):
    """How many vehicles passed, together and at each source."""


class LastPassages(_OfPassages):
    """The vehicles that passed last, the newest first: plate, source, time."""

    limit: Annotated[int, Field(ge=1, le=20, description="At most so many.")] = 5


class Sources(Value):
    """The cameras and other sources at which vehicles passed."""


class JobStatusOf(Value):
    """How a job ended."""

    job_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


#: By name. What is not in here is not asked.
LOOKUPS: Final[Mapping[str, type[Value]]] = {
    "count_passages": CountPassages,
    "last_passages": LastPassages,
    "sources": Sources,
    "job_status": JobStatusOf,
}


@dataclass(frozen=True)
class Call:
    """One of them with its arguments."""

    name: str
    arguments: Value


class Found(Value):
    """What a named query found."""

    name: str
    arguments: dict[str, JsonValue]  #: those that were given
    result: dict[str, JsonValue]
    text: str  #: the same in a sentence

    @property
    def label(self) -> str:
        """The query as it was asked, for people: `count_passages(source=['gate'])`."""
        return f"{self.name}({', '.join(f'{name}={value}' for name, value in self.arguments.items())})"


def call_of(name: str, arguments: object) -> Call:
    """Raises BadMessageError: there is no such query, or it has no such argument, or not with this value."""
    kind = LOOKUPS.get(name)
    if kind is None:
        raise BadMessageError(f"name: {name!r:.80} is no query; there are {', '.join(LOOKUPS)}", field="name")
    try:
        return Call(name, kind.model_validate(arguments))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"])) or "arguments"
        said = first["msg"]
        if first["type"] == "extra_forbidden":
            said = f"no argument of {name}; it has {', '.join(kind.model_fields) or 'none'}"
        raise BadMessageError(f"{field}: {said} (got {first.get('input')!r:.80})", field=field) from error


def arguments_of(call: Call) -> dict[str, Any]:
    """Those that were given, JSON-able."""
    return call.arguments.model_dump(mode="json", exclude_defaults=True)


def tools() -> list[dict[str, Any]]:
    """The queries as OpenAI's clients name tools."""
    return [
        {
            "type": "function",
            "function": {"name": name, "description": kind.__doc__, "parameters": kind.model_json_schema()},
        }
        for name, kind in LOOKUPS.items()
    ]

"""The parameters every listing has, and how a moment may be written."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import Query, Request
from fastapi.dependencies.models import Dependant
from pydantic import BeforeValidator, WithJsonSchema

from sightline.errors import BadMessageError

#: How OpenAPI says: bytes, no text.
BINARY: Final = {"type": "string", "format": "binary"}

_RELATIVE = re.compile(r"(\d{1,6}(?:\.\d+)?)([smhdw])", re.ASCII)
_EPOCH = re.compile(r"0|\d{9,}(?:\.\d+)?", re.ASCII)
#: In a URL a plus sign that was not encoded means a blank.
_PLUS = re.compile(r"(?<=\d) (\d\d:?\d\d)$", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_moment(value: object) -> object:
    """`15m`, `1h`, `2d` before now, epoch seconds, or a date and time (UTC where no zone is given)."""
    if not isinstance(value, str):
        return value
    try:
        relative = _RELATIVE.fullmatch(value)
        if relative:
            return datetime.now(UTC) - timedelta(**{_UNITS[relative[2]]: float(relative[1])})
        if _EPOCH.fullmatch(value):
            return datetime.fromtimestamp(float(value), UTC)
        moment = datetime.fromisoformat(_PLUS.sub(r"+\1", value))
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError("must be like 15m, 1h, 2d, epoch seconds, or 2026-01-31T12:00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def refuse_unknown(request: Request) -> None:
    """A misspelt parameter would be ignored, and its answer believed.

    Raises:
        BadMessageError: naming the nearest parameter there is.
    """
    route = request.scope["route"]
    known = list(dict.fromkeys(_parameters(route.dependant)))
    for name in request.query_params:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            cure = f"did you mean {near[0]}?" if near else f"there {'is ' + ', '.join(known) if known else 'are none'}"
            raise BadMessageError(f"{name[:80]}: no parameter of this path; {cure}", field=name[:80])


def _parameters(dependant: Dependant) -> Iterator[str]:
    """Of an endpoint and of what it depends on."""
    yield from (str(field.alias) for field in dependant.query_params)
    for other in dependant.dependencies:
        yield from _parameters(other)


#: What may be written is more than RFC 3339, so the OpenAPI document calls it a text.
Moment = Annotated[datetime, BeforeValidator(parse_moment), WithJsonSchema({"type": "string"})]
Since = Annotated[Moment | None, Query(description="From then on: `15m`, `1h`, `2d`, epoch seconds or RFC 3339.")]
Until = Annotated[Moment | None, Query(description="Before then, written like `since`.")]
Source = Annotated[str | None, Query(max_length=64, description="Only this source.")]
Zone = Annotated[str | None, Query(max_length=64, description="Only what was in this zone of its camera.")]
Text = Annotated[
    str | None,
    Query(max_length=64, description="In any spelling (`kab 4721`); `*` stands for any characters, `?` for one."),
]
ListName = Annotated[str | None, Query(max_length=32, description="Only those on this list of known plates.")]
Country = Annotated[
    str | None,
    Query(pattern=r"^[a-z]{2}(-[a-z]{2})?$", description="Only those likely of it: `sk`, `us`, `us-tx`."),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]
Cursor = Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before.")]

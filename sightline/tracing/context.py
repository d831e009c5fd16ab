"""`traceparent` as W3C has it (https://www.w3.org/TR/trace-context/): which trace, which span, and if it is recorded.

A job carries it from whoever asked for it to its rows and events. Nothing here needs OpenTelemetry.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

#: Version, trace, span, flags. What later versions add behind is not read.
_FORM: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def read_traceparent(value: object) -> str | None:
    """The traceparent that somebody sent, as we send it on; None: it is none.

    W3C: who gets one that cannot be read goes on as if there were none.
    """
    found = _FORM.fullmatch(value) if isinstance(value, str) and len(value) <= 256 else None
    if found is None or (found[0].startswith("00") and found[4]):
        return None
    return f"00-{found[1]}-{found[2]}-{found[3]}"


def trace_id_of(traceparent: str) -> str:
    """The 32 hexadecimal digits by which all spans of a trace are found."""
    return traceparent[3:35]


def is_sampled(traceparent: str | None) -> bool:
    """Whether whoever began the trace records it."""
    return traceparent is not None and bool(int(traceparent[-2:], 16) & _SAMPLED)


@contextmanager
def carried_on(traceparent: str | None) -> Iterator[None]:
    """What is published inside belongs to this trace."""
    token = _current.set(traceparent)
    try:
        yield
    finally:
        _current.reset(token)


def current_traceparent() -> str | None:
    """Of what this thread or task does: as `carried_on` says, else of the span that OpenTelemetry has open here."""
    if (ours := _current.get()) is not None:
        return ours
    # Whoever uses it has imported it: to look does not.
    if (opentelemetry := sys.modules.get("opentelemetry.trace")) is None:
        return None
    span = opentelemetry.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"

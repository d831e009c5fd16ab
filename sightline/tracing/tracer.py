"""Where spans go: nowhere, or to a collector by OpenTelemetry's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from sightline.errors import SettingsError

if TYPE_CHECKING:
    from sightline.settings import MetricsSettings

Attribute = str | int | float


class SpanKind(StrEnum):
    """As OpenTelemetry has them."""

    SERVER = "server"  #: a request was answered
    PRODUCER = "producer"  #: a message was sent, which somebody works on later
    CONSUMER = "consumer"  #: a message was worked on
    CLIENT = "client"  #: somebody else was asked
    INTERNAL = "internal"


class Span:
    """One step of a trace. This one is nobody's: it only passes on to whom it would belong."""

    def __init__(self, traceparent: str | None = None) -> None:
        self.traceparent = traceparent  #: what is caused by this step is given

    def name(self, name: str) -> None:
        """Call it otherwise: better known at its end."""

    def note(self, **attributes: Attribute | None) -> None:
        """Say more of it; what is None is left out. `__` in a name stands for a dot."""

    def end(self, error: str | None = None, at: float | None = None) -> None:
        """It is over, now or at `at` (seconds since 1970). `error`: why it failed."""


class Tracer:
    """Of one process. This one records nothing, and passes on what others record."""

    def begin(self, name: str, kind: SpanKind, parent: str | None, *, at: float | None = None) -> Span:  # noqa: ARG002
        """A step that began, now or at `at` (seconds since 1970), caused by `parent`.

        Without a parent a trace begins here, if it is one of those that are recorded.
        """
        return Span(parent)

    @contextmanager
    def span(self, name: str, kind: SpanKind, parent: str | None) -> Iterator[Span]:
        """The same, which ends with the block; what the block raises is its error."""
        span = self.begin(name, kind, parent)
        try:
            yield span
        except BaseException as error:
            span.end(f"{type(error).__name__}: {error}"[:500])
            raise
        span.end()

    def close(self) -> None:
        """Send what was not sent yet."""


def open_tracer(settings: MetricsSettings, role: str) -> Tracer:
    """The tracer of a process. `role` is what it is called in the traces.

    Raises:
        SettingsError: spans are wanted, and what sends them is not installed.
    """
    if not settings.otlp_endpoint:
        return Tracer()
    try:
        from sightline.tracing.otlp import OtlpTracer
    except ImportError as error:
        raise SettingsError(
            "SIGHTLINE_OTLP_ENDPOINT: traces need OpenTelemetry: pip install -e '.[otlp]', or leave the setting empty"
        ) from error
    return OtlpTracer(settings.otlp_endpoint, role, sample=settings.trace_sample)

"""How a process can be looked at from outside."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sightline.settings.group import Group


class MetricsSettings(Group):
    """Metrics and traces of each process, and how its log is written."""

    title = "Seen from outside"

    metrics_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0,
        description="Port on which a role serves `/metrics` to Prometheus, without a key; 0: none. `sightline up` "
        "gives its roles this port and those after it. The API has `/metrics` on its own port too, with a key.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address that port listens on.")
    otlp_endpoint: str = Field(
        "",
        pattern=r"^($|https?://[^/\s]+/?$)",
        description="Where traces go: an OpenTelemetry collector, by OTLP over HTTP, as `http://collector:4318`; "
        "empty: nowhere. Needs the extra `otlp`, whose exporter takes the rest from `OTEL_EXPORTER_OTLP_HEADERS` and "
        "the like.",
    )
    trace_sample: Annotated[float, Field(ge=0, le=1)] = Field(
        0.01,
        description="Share of jobs that are traced where nobody before decided it. A `traceparent` that came with a "
        "request or a message decides.",
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="`json`: one object a line, with job, frame, source and trace where they are known."
    )

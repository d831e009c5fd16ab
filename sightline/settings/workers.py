"""How much a worker takes on, and when it ends itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from sightline.pipelines import registry
from sightline.settings.group import Count, Group, Seconds


class WorkerSettings(Group):
    """How a worker process works, whatever its models are."""

    title = "Workers"

    worker_name: str = Field("", description="Name written into rows; empty: the Celery node name.")
    detect_concurrency: Count = Field(
        16,
        description="Bulk jobs a detect worker holds at once; more fill larger batches. "
        "Interactive and live jobs get 25 % extra threads. "
        "For a worker with several roles the largest of these numbers counts.",
    )
    ocr_concurrency: Count = Field(8, description="The same for an OCR worker.")
    write_concurrency: Count = Field(8, description="The same for a database writer.")
    worker_memory_gb: Annotated[float, Field(ge=0)] = Field(
        0,
        description="Memory that a worker process may hold, with those that it starts; one that holds more when its "
        "models are open says so and does not start. 0: what the machine or its control group has.",
    )
    model_timeout_s: Seconds = Field(60, description="A model call longer than this ends the worker process.")
    stall_timeout_s: Seconds = Field(
        120, description="A worker that finishes nothing for this long, while messages wait, ends itself."
    )

    def concurrency(self, roles: Iterable[str]) -> int:
        """Bulk jobs that a worker process of these roles holds at once; it brings each as far as it can."""
        held = {stage.name: stage.concurrency for stage in registry().stages.values()}
        return max(getattr(self, f"{role}_concurrency", held[role]) for role in roles)

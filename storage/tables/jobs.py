"""Where frames come from, and what was asked for them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base


class Sources(Base):
    """Where frames come from. A row is made by the first frame; one with a `url` is a camera."""

    __tablename__ = "sources"

    source_id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    url: Mapped[str | None]  #: may hold a password
    sub_url: Mapped[str | None]  #: so may this
    pipeline: Mapped[str | None]
    fps: Mapped[float | None]
    min_fps: Mapped[float | None]
    preset: Mapped[str | None]
    motion: Mapped[bool | None]
    enabled: Mapped[bool | None]
    loop: Mapped[bool | None]
    rotation: Mapped[int | None]
    mask: Mapped[list[Any] | None]
    after_reading: Mapped[str | None]
    zones: Mapped[list[Any] | None]
    health: Mapped[str | None]  #: what sinks were told last of it, see `storage.camera_health`
    health_since: Mapped[datetime | None]


class Jobs(Base):
    """Finished jobs. An open job lives in the ledger only."""

    __tablename__ = "jobs"

    job_id: Mapped[str] = mapped_column(primary_key=True)
    pipeline: Mapped[str]
    lane: Mapped[str]
    status: Mapped[str]
    attempt: Mapped[int]
    frame_count: Mapped[int]
    published_at: Mapped[datetime]  #: which publish of the job wrote `outcomes`
    finished_at: Mapped[datetime]
    outcomes: Mapped[list[Any]]  #: [frame_id, outcome] in the order of submission
    trace_id: Mapped[str | None]  #: the trace it belongs to, as its producer said
    dropped: Mapped[list[Any]]  #: dropped frames as they came in: they have no row of their own

    __table_args__ = (
        Index(None, "finished_at"),
        Index(None, "status", "finished_at"),
    )


class AcceptedJobs(Base):
    """Jobs the API accepted, until shortly after they are finished."""

    __tablename__ = "accepted_jobs"

    job_id: Mapped[str] = mapped_column(primary_key=True)
    published_at: Mapped[datetime]
    job: Mapped[dict[str, Any]]

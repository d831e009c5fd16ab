"""What was found on items of any medium, as far as no table of its own has it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base
from storage.tables.frames import Frames


class Findings(Base):
    """One field of a result; of a field with several values there is a row each."""

    __tablename__ = "findings"

    frame_id: Mapped[str] = mapped_column(ForeignKey(Frames.frame_id, ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)  #: the name of the field
    finding_index: Mapped[int] = mapped_column(primary_key=True)
    payload: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)  #: the value
    source_id: Mapped[str]
    captured_at: Mapped[datetime]
    pipeline: Mapped[str]
    stage: Mapped[str | None]  #: the last one that ran
    model: Mapped[str | None]
    model_sha256: Mapped[str | None]
    runtime: Mapped[str | None]
    worker: Mapped[str | None]
    queue_wait_ms: Mapped[float | None]
    inference_ms: Mapped[float | None]

    __table_args__ = (
        Index(None, "source_id", "captured_at"),
        Index(None, "captured_at"),
        Index(None, "pipeline", "kind", "captured_at"),
        {"sqlite_with_rowid": False},
    )

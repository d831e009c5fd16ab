"""Frames: the stored ones with what was found and read on them, and those that gave up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base
from storage.tables.jobs import Jobs, Sources
from storage.tables.passages import Passages


class Frames(Base):
    """One stored item, with what every stage did to it. An item that is a picture is a frame."""

    __tablename__ = "frames"

    frame_id: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(ForeignKey(Sources.source_id))
    job_id: Mapped[str] = mapped_column(ForeignKey(Jobs.job_id))
    captured_at: Mapped[datetime]
    time_from: Mapped[str | None]  #: where `captured_at` comes from
    seq: Mapped[int]
    sequence: Mapped[str | None]  #: what it follows in time, see `FrameRef`
    name: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    outside: Mapped[int | None]  #: how many things were left out, because they are in no zone
    parts: Mapped[list[Any] | None]  #: None: it is one picture, which lies under its id
    stages: Mapped[list[Any]]
    picture_kept: Mapped[bool]
    published_at: Mapped[datetime]
    stored_at: Mapped[datetime]

    __table_args__ = (
        Index(None, "source_id", "captured_at"),
        Index(None, "captured_at"),
        Index(None, "job_id"),
        Index(
            "ix_frames_kept",
            "source_id",
            "captured_at",
            sqlite_where=text("picture_kept"),
            postgresql_where=text("picture_kept"),
        ),
        Index(
            "ix_frames_kept_stored_at",
            "stored_at",
            sqlite_where=text("picture_kept"),
            postgresql_where=text("picture_kept"),
        ),
    )


class Detections(Base):
    __tablename__ = "detections"

    frame_id: Mapped[str] = mapped_column(ForeignKey(Frames.frame_id, ondelete="CASCADE"), primary_key=True)
    detection_index: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[str]
    captured_at: Mapped[datetime]
    label: Mapped[str]
    class_id: Mapped[int]
    confidence: Mapped[float]
    x1: Mapped[float]
    y1: Mapped[float]
    x2: Mapped[float]
    y2: Mapped[float]
    corners: Mapped[list[Any] | None]
    track_id: Mapped[int | None]
    zone: Mapped[str | None]  #: of its camera, that it stands in
    model: Mapped[str | None]
    model_sha256: Mapped[str | None]
    runtime: Mapped[str | None]
    worker: Mapped[str | None]
    queue_wait_ms: Mapped[float | None]
    inference_ms: Mapped[float | None]

    __table_args__ = (
        Index(None, "source_id", "captured_at"),
        Index(None, "captured_at"),
        Index(None, "label", "captured_at"),
        {"sqlite_with_rowid": False},
    )


class Readings(Base):
    __tablename__ = "readings"

    frame_id: Mapped[str] = mapped_column(ForeignKey(Frames.frame_id, ondelete="CASCADE"), primary_key=True)
    reading_index: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[str]
    captured_at: Mapped[datetime]
    text: Mapped[str]
    normalized: Mapped[str]  #: what text search compares: capital letters and digits only
    confidence: Mapped[float]
    char_confidences: Mapped[list[Any]]
    alternatives: Mapped[list[Any] | None]  #: of each character, see `Reading`
    country: Mapped[str | None]
    country_confidence: Mapped[float | None]
    detection_index: Mapped[int | None]
    sharpness: Mapped[float | None]
    spot: Mapped[int | None]  #: where a plate is, see `geometry.py`
    sequence: Mapped[str | None]  #: that of its frame
    zone: Mapped[str | None]  #: that of its detection
    unread: Mapped[str | None]  #: why a line lacks what is not in `text`, see `Reading`
    passage_id: Mapped[str | None] = mapped_column(ForeignKey(Passages.passage_id, ondelete="SET NULL"))
    model: Mapped[str | None]
    model_sha256: Mapped[str | None]
    runtime: Mapped[str | None]
    worker: Mapped[str | None]
    queue_wait_ms: Mapped[float | None]
    inference_ms: Mapped[float | None]

    __table_args__ = (
        Index(None, "source_id", "captured_at"),
        Index(None, "captured_at"),
        Index(None, "normalized", "captured_at", postgresql_ops={"normalized": "text_pattern_ops"}),
        Index(None, "passage_id"),
        {"sqlite_with_rowid": False},
    )


class DeadLetters(Base):
    """Frames that gave up, with the reason and what is needed to replay them; messages that were no job."""

    __tablename__ = "dead_letters"

    frame_id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[str]
    captured_at: Mapped[datetime]
    pipeline: Mapped[str]
    lane: Mapped[str]
    stage: Mapped[str]
    reason: Mapped[str]
    message: Mapped[str]
    attempt: Mapped[int]
    times: Mapped[int]  #: how many publishes of this job ended here for this frame
    died_at: Mapped[datetime]
    result: Mapped[dict[str, Any]]  #: the whole FrameResult, as far as the stages came
    letter_id: Mapped[str]  #: short name of the row, for people; see `rows.letter_id`
    picture_kept: Mapped[bool]
    replay_job_id: Mapped[str | None]  #: the newest replay; a death of this job is a death of this letter
    replayed_at: Mapped[datetime | None]  #: None again once the replay died
    discarded_at: Mapped[datetime | None]

    __table_args__ = (
        Index(None, "died_at"),
        Index(None, "source_id", "died_at"),
        Index(None, "letter_id", unique=True),
        Index(None, "replay_job_id"),
    )

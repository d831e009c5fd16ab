"""Every table, typed. The classes are tables, not objects with behavior: rows are written and read in bulk.

Times are UTC with zone on SQLite and PostgreSQL alike, boxes absolute pixels, confidences 0..1. `source_id` and
`captured_at` are repeated on detections and readings so that the common questions need no join.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    Index,
    MetaData,
    String,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from storage.times import UtcDateTime


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        float: Double(),
        int: BigInteger(),
        str: String(),
        list[Any]: JSON(none_as_null=True),
        dict[str, Any]: JSON(none_as_null=True),
    }


class Sources(Base):
    """Where frames come from. A row is made by the first frame; one with a `url` is a camera."""

    __tablename__ = "sources"

    source_id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    url: Mapped[str | None]  #: may hold a password
    pipeline: Mapped[str | None]
    fps: Mapped[float | None]
    min_fps: Mapped[float | None]
    preset: Mapped[str | None]
    motion: Mapped[bool | None]
    enabled: Mapped[bool | None]
    loop: Mapped[bool | None]


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


class LedgerLooks(Base):
    """How many frames of a source the ledger had open at the last look, and how many of such were lost with a Redis."""

    __tablename__ = "ledger_looks"

    source_id: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[str]  #: which life of the ledger that was
    open_frames: Mapped[int]
    lost_frames: Mapped[int]
    lost_at: Mapped[datetime | None]


class Frames(Base):
    """One stored frame, with what every stage did to it."""

    __tablename__ = "frames"

    frame_id: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(ForeignKey(Sources.source_id))
    job_id: Mapped[str] = mapped_column(ForeignKey(Jobs.job_id))
    captured_at: Mapped[datetime]
    seq: Mapped[int]
    name: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
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


_OPEN = text("final_at IS NULL")
_EMPTY = text("''")
_CONTESTED = text("contest IS NOT NULL")
_LISTED = text("list_name IS NOT NULL")
#: Ordered by code points, as SQLite does, whatever the language of the database.
BYTEWISE = String().with_variant(String(collation="C"), "postgresql")


class Passages(Base):
    """One vehicle passing one camera. Everything here is a sum, a minimum or a maximum over its readings."""

    __tablename__ = "passages"

    passage_id: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(ForeignKey(Sources.source_id))
    text: Mapped[str]
    confidence: Mapped[float]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    reading_count: Mapped[int]
    best_confidence: Mapped[float]
    best_seen: Mapped[datetime]
    best_frame_id: Mapped[str]
    best_reading_index: Mapped[int]
    best_xyxy: Mapped[list[Any] | None]
    best_score: Mapped[int] = mapped_column(server_default="0")  #: see `passages.Sighting.score`
    votes: Mapped[dict[str, Any]]  #: see `votes.Votes`
    path: Mapped[list[Any] | None]  #: its first and last place, see `passage_rows`
    direction: Mapped[str] = mapped_column(server_default="unknown")
    #: `text` without what readers mix up; what search looks for
    folded: Mapped[str] = mapped_column(server_default=_EMPTY)
    contest: Mapped[str | None]  #: the same in all passages of a contest, see `contests`
    list_name: Mapped[str | None]  #: the list of known plates it is on, see `plate_lists`
    list_plate: Mapped[str | None]  #: the plate there
    list_distance: Mapped[float | None]  #: how much the two differ, see `plates.plate_distance`
    updated_at: Mapped[datetime]
    final_at: Mapped[datetime | None]  #: when it had got no reading for long enough; None while more may come

    __table_args__ = (
        # Not by `updated_at`: PostgreSQL would have to touch the index with every reading.
        Index("ix_passages_open", "passage_id", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index(None, "source_id", "first_seen"),
        Index(None, "first_seen"),
        Index(None, "text", "first_seen", postgresql_ops={"text": "text_pattern_ops"}),
        Index(None, "folded", "first_seen"),
        Index("ix_passages_contest", "contest", sqlite_where=_CONTESTED, postgresql_where=_CONTESTED),
        Index("ix_passages_listed", "list_name", "first_seen", sqlite_where=_LISTED, postgresql_where=_LISTED),
    )


class Stands(Base):
    """Where a vehicle stood still: seen there again it is the same passage, see `linking`."""

    __tablename__ = "stands"

    passage_id: Mapped[str] = mapped_column(ForeignKey(Passages.passage_id, ondelete="CASCADE"), primary_key=True)
    folded: Mapped[str] = mapped_column(primary_key=True)
    spot: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[str]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]

    __table_args__ = (Index(None, "source_id", "last_seen"), {"sqlite_with_rowid": False})


class PlateRotations(Base):
    """The index of the search: every rotation of every folded plate that a passage ever had, see `search`."""

    __tablename__ = "plate_rotations"

    rotation: Mapped[str] = mapped_column(BYTEWISE, primary_key=True)
    folded: Mapped[str]

    __table_args__ = ({"sqlite_with_rowid": False},)


class KnownPlates(Base):
    """Lists of plates: who may pass, who is looked for."""

    __tablename__ = "known_plates"

    list_name: Mapped[str] = mapped_column(primary_key=True)
    plate: Mapped[str] = mapped_column(primary_key=True)
    tolerance: Mapped[float]  #: a plate that differs by this much at most is this one
    note: Mapped[str]
    created_at: Mapped[datetime]


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
    detection_index: Mapped[int | None]
    sharpness: Mapped[float | None]
    spot: Mapped[int | None]  #: where a plate is, see `places`
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


class Sinks(Base):
    """Where results are pushed."""

    __tablename__ = "sinks"

    sink_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    url: Mapped[str]  #: may hold a password
    secret: Mapped[str | None]
    events: Mapped[list[Any]]
    sources: Mapped[list[Any]]  #: empty: all
    enabled: Mapped[bool]
    disabled_reason: Mapped[str | None]
    created_at: Mapped[datetime]
    sent_count: Mapped[int]
    last_error: Mapped[str | None]  #: of the newest attempt; None if it succeeded


_WAITING = text("next_attempt_at IS NOT NULL")
_DEAD = text("next_attempt_at IS NULL AND sent_at IS NULL")
_SENT = text("sent_at IS NOT NULL")


class Deliveries(Base):
    """The outbox: what must leave the system, written in the transaction that caused it."""

    __tablename__ = "deliveries"

    delivery_id: Mapped[str] = mapped_column(primary_key=True)
    sink: Mapped[str]
    topic: Mapped[str]
    payload: Mapped[dict[str, Any]]
    attempts: Mapped[int]
    created_at: Mapped[datetime]  #: rows of one transaction are a microsecond apart, in their order
    next_attempt_at: Mapped[datetime | None]  #: None once sent or given up; the end of the lease while it is sent
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None]

    __table_args__ = (
        Index("ix_deliveries_waiting", "sink", "next_attempt_at", sqlite_where=_WAITING, postgresql_where=_WAITING),
        Index("ix_deliveries_dead", "sink", sqlite_where=_DEAD, postgresql_where=_DEAD),
        Index("ix_deliveries_sent", "sent_at", sqlite_where=_SENT, postgresql_where=_SENT),
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


class ApiKeys(Base):
    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[str]
    secret_sha256: Mapped[str]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class PageSessions(Base):
    """Who is logged in on the page. The browser holds a token of its own, not the key."""

    __tablename__ = "page_sessions"

    session_sha256: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    expires_at: Mapped[datetime]

    __table_args__ = (Index(None, "expires_at"),)


class AuditLog(Base):
    """Who searched and changed what. Rows are inserted and, when old, deleted; never updated."""

    __tablename__ = "audit_log"

    entry_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    key_id: Mapped[str | None]
    role: Mapped[str | None]
    address: Mapped[str | None]
    action: Mapped[str]
    target: Mapped[str | None]
    query: Mapped[dict[str, Any]]
    outcome: Mapped[str]

    __table_args__ = (Index(None, "at", "entry_id"), Index(None, "actor", "at"))


class RemovedRows(Base):
    """How many rows of a source went by age: the audit goes on counting them, see `removed`."""

    __tablename__ = "removed_rows"

    source_id: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)  #: of publishing, since 1970; 0: longer ago than is asked for
    stored: Mapped[int]
    dead: Mapped[int]

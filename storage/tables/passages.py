"""Vehicles that passed, and the plates they are known by."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base
from storage.tables.jobs import Sources

_OPEN = text("final_at IS NULL")
_EMPTY = text("''")
_LISTED = text("list_name IS NOT NULL")
_CORRECTED = text("corrected_folded IS NOT NULL")


class Passages(Base):
    """One vehicle passing one camera. Everything here is a sum, a minimum or a maximum over its readings."""

    __tablename__ = "passages"

    passage_id: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(ForeignKey(Sources.source_id))
    sequence: Mapped[str | None]  #: that of all its frames; None: pictures on their own
    text: Mapped[str]
    origin: Mapped[str] = mapped_column(server_default="read")  #: see `votes.Origin`
    confidence: Mapped[float]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    reading_count: Mapped[int]
    best_confidence: Mapped[float]
    best_seen: Mapped[datetime]
    best_frame_id: Mapped[str]
    best_reading_index: Mapped[int]
    best_xyxy: Mapped[list[Any] | None]
    best_score: Mapped[int] = mapped_column(server_default="0")  #: see `storage.passages.summary.Sighting.score`
    votes: Mapped[dict[str, Any]]  #: see `votes.Votes`
    path: Mapped[list[Any] | None]  #: its first and last place, see `passages/rows.py`
    zones: Mapped[str | None]  #: all that it was read in, as `,gate,yard,`
    direction: Mapped[str] = mapped_column(server_default="unknown")
    country: Mapped[str | None]  #: the likely one of `text`, see `plate_countries`
    country_confidence: Mapped[float | None]
    #: `text` without what readers mix up; what search looks for
    folded: Mapped[str] = mapped_column(server_default=_EMPTY)
    motion: Mapped[list[Any] | None]  #: where it was last, see `known_vehicles.motion_of`
    corrected: Mapped[str | None]  #: what somebody says the plate is, whatever was read; see `corrections`
    corrected_folded: Mapped[str | None]
    corrected_by: Mapped[str | None]
    corrected_at: Mapped[datetime | None]
    list_name: Mapped[str | None]  #: the list of known plates it is on, see `plate_lists`
    list_plate: Mapped[str | None]  #: the plate there
    list_distance: Mapped[float | None]  #: how far what was read is from it, see `plate_distance`
    list_text: Mapped[str | None]  #: what was read: the voted plate, or what one reading says
    list_by: Mapped[str | None]  #: which of them: `vote`, `reading` or `correction`
    updated_at: Mapped[datetime]
    final_at: Mapped[datetime | None]  #: when it had got no reading for long enough; None while more may come

    __table_args__ = (
        # Not by `updated_at`: PostgreSQL would have to touch the index with every reading.
        Index("ix_passages_open", "passage_id", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index(None, "source_id", "first_seen"),
        Index(None, "first_seen"),
        Index(None, "text", "first_seen", postgresql_ops={"text": "text_pattern_ops"}),
        Index(None, "folded", "first_seen"),
        Index(None, "country", "first_seen"),
        Index("ix_passages_listed", "list_name", "first_seen", sqlite_where=_LISTED, postgresql_where=_LISTED),
        Index("ix_passages_corrected", "corrected_folded", sqlite_where=_CORRECTED, postgresql_where=_CORRECTED),
    )


class Stands(Base):
    """Where a vehicle stood still: seen there again it is the same passage, see `association`."""

    __tablename__ = "stands"

    passage_id: Mapped[str] = mapped_column(ForeignKey(Passages.passage_id, ondelete="CASCADE"), primary_key=True)
    folded: Mapped[str] = mapped_column(primary_key=True)
    spot: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[str]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]

    __table_args__ = (Index(None, "source_id", "last_seen"), {"sqlite_with_rowid": False})


#: Ordered by code points, as SQLite does, whatever the language of the database.
_BYTEWISE = String().with_variant(String(collation="C"), "postgresql")


class PlateRotations(Base):
    """The index of the search: every rotation of every folded plate that a passage ever had, see `search`."""

    __tablename__ = "plate_rotations"

    rotation: Mapped[str] = mapped_column(_BYTEWISE, primary_key=True)
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

"""What the audit must know and no other row tells."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base


class LedgerLooks(Base):
    """How many frames of a source the ledger had open at the last look, and how many of such were lost with a Redis."""

    __tablename__ = "ledger_looks"

    source_id: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[str]  #: which life of the ledger that was
    open_frames: Mapped[int]
    lost_frames: Mapped[int]
    lost_at: Mapped[datetime | None]


class RemovedRows(Base):
    """How many rows of a source went by age: the audit goes on counting them, see `removed`."""

    __tablename__ = "removed_rows"

    source_id: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)  #: of publishing, since 1970; 0: longer ago than is asked for
    stored: Mapped[int]
    dead: Mapped[int]

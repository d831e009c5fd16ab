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
    published_frames: Mapped[int] = mapped_column(server_default="0")  #: ever, at that look
    missing_frames: Mapped[int] = mapped_column(server_default="0")  #: rows that a restored database does not have
    missing_letters: Mapped[int] = mapped_column(server_default="0")


class Agreements(Base):
    """The database's half of the agreement with the ledger: one row, made when it is first asked for."""

    __tablename__ = "agreements"

    one: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  #: always 1
    installation_id: Mapped[str]
    step: Mapped[int]  #: both had come as far
    proposed: Mapped[int]  #: the ledger may have come as far
    agreed_at: Mapped[float]  #: when the ledger came to `step`, by the clock of Redis, in epoch seconds; 0: not yet
    timeline: Mapped[str]  #: of PostgreSQL, another one after a standby was promoted; empty: not known


class StoreBreaks(Base):
    """When one of the two stores came back as it was earlier, and what that came to."""

    __tablename__ = "store_breaks"

    at: Mapped[datetime] = mapped_column(primary_key=True)
    kind: Mapped[str]
    frames: Mapped[int]  #: that were lost, or whose rows are missing, at most


class RemovedRows(Base):
    """How many rows of a source went by age: the audit goes on counting them, see `removed`."""

    __tablename__ = "removed_rows"

    source_id: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)  #: of publishing, since 1970; 0: longer ago than is asked for
    stored: Mapped[int]
    dead: Mapped[int]

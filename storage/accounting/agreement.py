"""The database's half of the agreement with the ledger, and what is noted where one of the two came back older."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sightline.delivery.agreement import Agreement, SameInstallation, other_installation
from sightline.errors import BrokerUnavailableError
from sightline.ids import new_id
from storage.database.engine import Database, insert_into
from storage.tables import Agreements, LedgerLooks, StoreBreaks

_ONE: Final = Agreements.one == 1


class Break(StrEnum):
    """How the two stores came apart."""

    REDIS_EMPTIED = "redis_emptied"
    REDIS_OLDER = "redis_older"
    DATABASE_OLDER = "database_older"
    DATABASE_PROMOTED = "database_promoted"
    RESTORED = "restored"  #: by `sightline restore`, beside an empty Redis
    ACCEPTED = "accepted"  #: no break: somebody knows of the rows that are missing, and it is well so


#: What each means, and what to do.
_WORDS: Final = {
    Break.REDIS_EMPTIED: "Redis lost everything it held. What the API accepted is published again; submit the rest "
    "again, and set appendonly yes",
    Break.REDIS_OLDER: "Redis came back as it was earlier: an old append-only file or snapshot, or a replica that "
    "lagged was promoted. What the API accepted is published again; submit the rest again, and set "
    "appendfsync always, or min-replicas-to-write 1 beside Sentinel",
    Break.DATABASE_OLDER: "the database is of an earlier time than Redis: a backup was restored. What it does not have "
    "does not count as done: what it has as accepted is done again, the rest once it is submitted again",
    Break.DATABASE_PROMOTED: "another PostgreSQL was promoted, and may lack its last moment. What was done since the "
    "last sweep before does not count as done, and may be submitted again",
    Break.RESTORED: "sightline restore put a backup into this database. What came after the backup is not in it: "
    "submit it again. What the API had accepted by then is done by itself",
    Break.ACCEPTED: "the rows that a restored database does not have are accepted as missing",
}


@dataclass(frozen=True)
class DatabaseSide:
    installation_id: str
    step: int  #: both had come as far
    proposed: int  #: the ledger may have come as far
    agreed_at: float
    timeline: str  #: of PostgreSQL, when `step` was reached


@dataclass(frozen=True)
class StoreBreak:
    at: datetime
    kind: Break
    frames: int  #: lost, or without their rows, at most

    @property
    def words(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} UTC: {words_of(self.kind, self.frames)}"


def words_of(kind: Break, frames: int) -> str:
    return _WORDS[kind] + (f". Frames that are missing, at most: {frames}" if frames else "")


def read_side(database: Database) -> DatabaseSide:
    """Makes the row, with the id of a new installation, where there is none."""
    columns = [column for column in Agreements.__table__.columns if column.name != "one"]
    with database.read() as connection:
        row = connection.execute(sa.select(*columns).where(_ONE)).one_or_none()
    if row is None:
        new = {"one": 1, "installation_id": new_id(), "step": 0, "proposed": 0, "agreed_at": 0.0, "timeline": ""}
        with database.write() as connection:
            connection.execute(insert_into(connection, Agreements).on_conflict_do_nothing(), new)
            row = connection.execute(sa.select(*columns).where(_ONE)).one()
    return DatabaseSide(*row)


def read_timeline(database: Database) -> str:
    """PostgreSQL's; empty where there is none, or where it is not told, as by some who serve it."""
    if database.engine.dialect.name != "postgresql":
        return ""
    try:
        with database.engine.begin() as connection:
            return str(connection.scalar(sa.text("SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)")))
    except DBAPIError:
        return ""


def change_side(database: Database, before: DatabaseSide, **values: int | float | str) -> bool:
    """Write some of it, unless another process did meanwhile."""
    with database.write() as connection:
        return _change(connection, before, values)


def note_break(database: Database, before: DatabaseSide, kind: Break, frames: int, **values: int | float | str) -> bool:
    """The same together with a break, which so is noted once."""
    with database.write() as connection:
        if not _change(connection, before, values):
            return False
        connection.execute(sa.insert(StoreBreaks), {"at": datetime.now(UTC), "kind": kind.value, "frames": frames})
        return True


def list_breaks(database: Database, *, since: datetime | None = None, limit: int = 20) -> list[StoreBreak]:
    """The newest first."""
    rows = sa.select(StoreBreaks.at, StoreBreaks.kind, StoreBreaks.frames).order_by(StoreBreaks.at.desc()).limit(limit)
    if since is not None:
        rows = rows.where(StoreBreaks.at >= since)
    with database.read() as connection:
        return [StoreBreak(at, Break(kind), frames) for at, kind, frames in connection.execute(rows)]


def last_restore(database: Database) -> datetime | None:
    """When `sightline restore` filled this database; None: never."""
    with database.read() as connection:
        found = sa.select(sa.func.max(StoreBreaks.at)).where(StoreBreaks.kind == Break.RESTORED.value)
        return connection.scalar(found)


def is_accepted(breaks: list[StoreBreak]) -> bool:
    """Whether somebody accepted what is missing since the last time that the database came back older."""
    ours = (Break.DATABASE_OLDER, Break.DATABASE_PROMOTED, Break.ACCEPTED)
    return next((each.kind is Break.ACCEPTED for each in breaks if each.kind in ours), False)


def note_restore(database: Database) -> None:
    """A backup was put into this database: the next Redis is a new one, and nothing is lost with the one before."""
    now = datetime.now(UTC)
    with database.write() as connection:
        if not sa.inspect(connection).has_table(StoreBreaks.__tablename__):
            return  # of a version that knew nothing of it
        connection.execute(sa.update(Agreements).values(step=0, proposed=0, timeline=""))
        nothing = dict.fromkeys(("open_frames", "published_frames", "missing_frames", "missing_letters"), 0)
        connection.execute(sa.update(LedgerLooks).values(nothing))
        connection.execute(sa.insert(StoreBreaks), {"at": now, "kind": Break.RESTORED.value, "frames": 0})


def accept_missing(database: Database, frames: int) -> None:
    """Note that somebody knows of the frames whose rows are missing; the audit is in balance with them again."""
    with database.write() as connection:
        row = {"at": datetime.now(UTC), "kind": Break.ACCEPTED.value, "frames": frames}
        connection.execute(sa.insert(StoreBreaks), row)


def fresh_breaks(database: Database) -> list[StoreBreak]:
    """Those of the last day, unless they were accepted."""
    breaks = list_breaks(database, since=datetime.now(UTC) - timedelta(days=1))
    return [] if breaks and breaks[0].kind is Break.ACCEPTED else breaks


def require_same_installation(database: Database, agreement: Agreement) -> None:
    """Raises SettingsError: the ledger works with another database. Both are asked."""
    error = other_installation(read_side(database).installation_id, agreement.read())
    if error is not None:
        raise error


def same_installation(database: Database, agreement: Agreement) -> SameInstallation:
    """The same, asked again and again, with an error that whoever sends work waits out: it ends no role."""
    return SameInstallation(agreement, lambda: read_side(database).installation_id, BrokerUnavailableError)


def _change(connection: sa.Connection, before: DatabaseSide, values: dict[str, int | float | str]) -> bool:
    unchanged = sa.and_(_ONE, Agreements.step == before.step, Agreements.proposed == before.proposed)
    done = connection.execute(sa.update(Agreements).where(unchanged).values(values))
    return done.rowcount == 1

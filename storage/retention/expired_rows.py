"""Takes what is old out of the tables: each call of a remover is one short transaction of a bounded number of rows.

Deleting a job with its frames, and all that was found on them, means no job row lists a missing frame. Several
processes may remove at the same time. On PostgreSQL they take turns, and skip rows that a writer is using.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from sightline.wire.events import TEST_EVENT
from storage.accounting.removed import note_removed
from storage.conversations.conversations import remove_empty_conversations
from storage.database.engine import Database
from storage.items.columns import keys_of_parts
from storage.passages.rows import lock_sources
from storage.tables import (
    AcceptedJobs,
    AuditLog,
    DeadLetters,
    Deliveries,
    Detections,
    Findings,
    Frames,
    Jobs,
    Messages,
    Passages,
    Readings,
    Sinks,
)

#: In one transaction. A single job may have more: as many as its message had, which were written in one as well.
MAX_ROWS: Final = 500
_MAX_FRAMES: Final = 100
_REMOVER_LOCK: Final = 5_318_009  # any number, the same in every process

#: A job that is noted as accepted would be published again, were its row not there.
_IS_ACCEPTED: Final = sa.exists().where(AcceptedJobs.job_id == Jobs.job_id)
#: As the index has it; SQLAlchemy would ask SQLite for `picture_kept = 1`, which the index does not know.
_PICTURE_KEPT: Final = sa.text("picture_kept")


Row = sa.Row[*tuple[Any, ...]]


class OtherRemoverError(Exception):
    """Another process removes right now."""


class Chunk(NamedTuple):
    """What one transaction took. `pictures`: keys of pictures that may go if no other row refers to them."""

    rows: Counter[str]
    pictures: Sequence[str] = ()


@contextmanager
def removing(database: Database) -> Generator[sa.Connection]:
    """A writing transaction that one process at a time has. Raises OtherRemoverError instead of waiting."""
    with database.write_aside() as connection:
        if connection.dialect.name == "postgresql" and not connection.scalar(
            sa.select(sa.func.pg_try_advisory_xact_lock(_REMOVER_LOCK))
        ):
            raise OtherRemoverError
        yield connection


class OldJobs:
    """Jobs that finished before a time, with everything that is theirs alone: frames, detections, readings, dead
    letters of frames that were stored since, and final passages whose last reading goes."""

    def __init__(self, before: datetime) -> None:
        self._before = before
        self._from = datetime.min.replace(tzinfo=UTC)  # what lies before was looked at

    def __call__(self, database: Database) -> Chunk | None:
        """Remove some; None if there are no more."""
        with removing(database) as connection:
            picked = self._pick(connection)
            return self._remove(connection, picked) if picked else None

    def _pick(self, connection: sa.Connection) -> list[str]:
        rows = (
            sa.select(Jobs.job_id, Jobs.finished_at, Jobs.frame_count)
            .where(Jobs.finished_at >= self._from, is_old_job(self._before))
            .order_by(Jobs.finished_at)
            .limit(_MAX_FRAMES)
        )
        picked: list[str] = []
        frames = 0
        for job_id, finished_at, count in connection.execute(rows.with_for_update(of=Jobs, skip_locked=True)):
            frames += count
            if picked and frames > _MAX_FRAMES:
                break
            if not picked:
                self._from = finished_at
            picked.append(job_id)
        return picked

    def _remove(self, connection: sa.Connection, picked: list[str]) -> Chunk:
        jobs, frames = _fitting(picked, _frames_of(connection, picked))
        ids = sorted(frame.frame_id for frame in frames)
        lock_sources(connection, {frame.source_id for frame in frames})
        readings = sa.select(Readings.passage_id).where(Readings.frame_id.in_(ids), Readings.passage_id.is_not(None))
        passages = sorted(filter(None, connection.scalars(readings.distinct())))
        letters = connection.execute(_LETTER_KEYS.where(DeadLetters.frame_id.in_(ids))).all()
        rows = Counter(
            detections=_delete(connection, Detections, Detections.frame_id, ids),
            readings=_delete(connection, Readings, Readings.frame_id, ids),
            findings=_delete(connection, Findings, Findings.frame_id, ids),
            dead_letters=_delete(connection, DeadLetters, DeadLetters.frame_id, ids),
            frames=_delete(connection, Frames, Frames.frame_id, ids),
            passages=remove_empty(connection, passages),
            jobs=_delete(connection, Jobs, Jobs.job_id, jobs),
        )
        note_removed(
            connection,
            datetime.now(UTC),
            stored=[(frame.source_id, frame.published_at) for frame in frames],
            dead=[(letter.source_id, letter.times) for letter in letters],
        )
        return Chunk(rows, _kept_of((*frames, *letters)))


class OldPictures:
    """Pictures of frames stored before a time; the frames stay."""

    def __init__(self, before: datetime) -> None:
        self._before = before
        self._from = datetime.min.replace(tzinfo=UTC)

    def __call__(self, database: Database) -> Chunk | None:
        with removing(database) as connection:
            rows = sa.select(Frames.frame_id, Frames.parts, Frames.picture_kept, Frames.stored_at).where(
                Frames.stored_at >= self._from, has_old_picture(self._before)
            )
            found = connection.execute(
                rows.order_by(Frames.stored_at).limit(MAX_ROWS).with_for_update(skip_locked=True)
            ).all()
            if not found:
                return None
            self._from = found[-1].stored_at
            ids = sorted(row.frame_id for row in found)
            for table in (Frames, DeadLetters):  # letters of frames that were stored since need it no more
                connection.execute(sa.update(table).where(table.frame_id.in_(ids)).values(picture_kept=False))
            return Chunk(Counter(), _kept_of(found))


class OldLetters:
    """Dead letters that died before a time, and those somebody discarded, which go as results do."""

    def __init__(self, letters: datetime | None, results: datetime | None) -> None:
        self._old = is_old_letter(letters, results)
        self._from = datetime.min.replace(tzinfo=UTC)

    def __call__(self, database: Database) -> Chunk | None:
        with removing(database) as connection:
            rows = _LETTER_KEYS.where(DeadLetters.died_at >= self._from, self._old).order_by(DeadLetters.died_at)
            found = connection.execute(rows.limit(MAX_ROWS).with_for_update(skip_locked=True)).all()
            if not found:
                return None
            self._from = found[-1].died_at
            names = [row.letter_id for row in found]
            count = _delete(connection, DeadLetters, DeadLetters.letter_id, names)
            note_removed(connection, datetime.now(UTC), dead=[(row.source_id, row.times) for row in found])
            return Chunk(Counter(dead_letters=count), _kept_of(found))


class OldEvents:
    """Events that were sent before a time, those given up before another, and what a removed sink left behind. What
    waits for its receiver stays."""

    def __init__(self, sent: datetime | None, given_up: datetime | None) -> None:
        self._old = are_old_events(sent, given_up)

    def __call__(self, database: Database) -> Chunk | None:
        with removing(database) as connection:
            for old in self._old:
                rows = sa.select(Deliveries.delivery_id).where(old).limit(MAX_ROWS)
                ids = list(connection.scalars(rows.with_for_update(skip_locked=True)))
                if ids:
                    return Chunk(Counter(events=_delete(connection, Deliveries, Deliveries.delivery_id, ids)))
            return None


class OldMessages:
    """Messages of conversations, and the conversations in which nothing is said any more."""

    def __init__(self, before: datetime) -> None:
        self._before = before

    def __call__(self, database: Database) -> Chunk | None:
        with removing(database) as connection:
            key = (Messages.conversation_id, Messages.turn, Messages.position)
            rows = sa.select(*key).where(Messages.at < self._before).order_by(Messages.at).limit(MAX_ROWS)
            found = connection.execute(rows.with_for_update(skip_locked=True)).all()
            if not found:
                return None
            connection.execute(sa.delete(Messages).where(sa.tuple_(*key).in_([tuple(row) for row in found])))
            ids = sorted({row.conversation_id for row in found})
            gone = remove_empty_conversations(connection, ids)
            return Chunk(Counter(messages=len(found), conversations=gone))


class OldEntries:
    """Entries of the audit log."""

    def __init__(self, before: datetime) -> None:
        self._before = before

    def __call__(self, database: Database) -> Chunk | None:
        with removing(database) as connection:
            rows = sa.select(AuditLog.entry_id).where(AuditLog.at < self._before).order_by(AuditLog.at).limit(MAX_ROWS)
            ids = list(connection.scalars(rows.with_for_update(skip_locked=True)))
            return Chunk(Counter(audit_log=_delete(connection, AuditLog, AuditLog.entry_id, ids))) if ids else None


def is_old_job(before: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(Jobs.finished_at < before, ~_IS_ACCEPTED)


def has_old_picture(before: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(_PICTURE_KEPT, Frames.stored_at < before)


def is_old_letter(letters: datetime | None, results: datetime | None) -> sa.ColumnElement[bool]:
    old: list[sa.ColumnElement[bool]] = [sa.false()]
    if letters is not None:
        old.append(DeadLetters.died_at < letters)
    if results is not None:
        old.append(sa.and_(DeadLetters.discarded_at.is_not(None), DeadLetters.died_at < results))
    return sa.or_(*old)


def are_old_events(sent: datetime | None, given_up: datetime | None) -> list[sa.ColumnElement[bool]]:
    """Each alone, so that each has an index."""
    is_dead = sa.and_(Deliveries.next_attempt_at.is_(None), Deliveries.sent_at.is_(None))
    is_unsent = sa.or_(Deliveries.next_attempt_at.is_not(None), is_dead)
    old = [sa.and_(is_unsent, Deliveries.sink.not_in(sa.select(Sinks.sink_id)))]
    if sent is not None:
        old.append(Deliveries.sent_at < sent)
        old.append(sa.and_(is_dead, Deliveries.topic == TEST_EVENT, Deliveries.created_at < sent))
    if given_up is not None:
        old.append(sa.and_(is_dead, Deliveries.created_at < given_up))
    return old


def remove_empty(connection: sa.Connection, passage_ids: Sequence[str]) -> int:
    """Those of the final passages that have no reading any more; where they stood goes with them."""
    if not passage_ids:
        return 0
    is_read = sa.exists().where(Readings.passage_id == Passages.passage_id)
    empty = sa.and_(Passages.passage_id.in_(passage_ids), Passages.final_at.is_not(None), ~is_read)
    return connection.execute(sa.delete(Passages).where(empty)).rowcount


_LETTER_KEYS: Final = sa.select(
    DeadLetters.letter_id,
    DeadLetters.frame_id,
    DeadLetters.source_id,
    DeadLetters.times,
    DeadLetters.died_at,
    DeadLetters.picture_kept,
    DeadLetters.result["frame"]["parts"].label("parts"),
)


def _frames_of(connection: sa.Connection, job_ids: list[str]) -> Sequence[Row]:
    """The frames of these jobs, each with how many rows hang on it."""
    number = sa.func.count()
    found = sa.select(number).select_from(Detections).where(Detections.frame_id == Frames.frame_id).scalar_subquery()
    read = sa.select(number).select_from(Readings).where(Readings.frame_id == Frames.frame_id).scalar_subquery()
    other = sa.select(number).select_from(Findings).where(Findings.frame_id == Frames.frame_id).scalar_subquery()
    columns = (Frames.frame_id, Frames.job_id, Frames.source_id, Frames.published_at, Frames.picture_kept, Frames.parts)
    return connection.execute(
        sa.select(*columns, (found + read + other).label("children")).where(Frames.job_id.in_(job_ids))
    ).all()


def _kept_of(rows: Iterable[Row]) -> list[str]:
    """The keys of what was kept of items."""
    kept = (row for row in rows if row.picture_kept)
    return sorted({key for row in kept for key in keys_of_parts(row.frame_id, row.parts)})


def _fitting(job_ids: list[str], frames: Sequence[Row]) -> tuple[list[str], list[Row]]:
    """The first of the jobs, as many as fit into one transaction, and their frames."""
    sizes = Counter[str]()
    for frame in frames:
        sizes[frame.job_id] += 1 + frame.children
    jobs: list[str] = []
    rows = 0
    for job_id in job_ids:
        rows += 1 + sizes[job_id]
        if jobs and rows > MAX_ROWS:
            break
        jobs.append(job_id)
    chosen = set(jobs)
    return jobs, [frame for frame in frames if frame.job_id in chosen]


def _delete(connection: sa.Connection, table: Any, key: Any, values: list[str]) -> int:
    return connection.execute(sa.delete(table).where(key.in_(values))).rowcount if values else 0

"""Takes out at once what somebody wants forgotten: frames, all that was found on them, and what it was part of.

Whoever asks has their entry in the audit log, by the first transaction. What sinks were sent already is with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from sightline.blobs.store import FrameStore
from sightline.types import Value
from storage.accounting.removed import note_removed
from storage.conversations.conversations import forget_questions, forget_source
from storage.database.engine import Database
from storage.jobs.accepted import forget_accepted
from storage.passages.plate_lists import ListReader
from storage.passages.rows import lock_sources, sum_up_again
from storage.retention.expired_rows import MAX_ROWS
from storage.retention.orphans import forget_plates, free_pictures
from storage.sinks.ended import tell_source_ended
from storage.tables import (
    Conversations,
    DeadLetters,
    Deliveries,
    Detections,
    Findings,
    Frames,
    Jobs,
    Passages,
    Readings,
)

#: In one transaction.
_MAX_FRAMES: Final = 100


class Erased(Value):
    """What is gone. `events` were noted for sinks; `changed_passages` are told by readings of other frames now."""

    frames: int = 0
    detections: int = 0
    readings: int = 0
    dead_letters: int = 0
    passages: int = 0
    changed_passages: int = 0
    pictures: int = 0
    events: int = 0
    conversations: int = 0
    job_ids: tuple[str, ...] = ()  #: of the jobs that the frames came with

    def plus(self, other: Erased) -> Erased:
        sums = {name: getattr(self, name) + getattr(other, name) for name in Erased.model_fields}
        return Erased.model_validate(sums | {"job_ids": tuple(dict.fromkeys(sums["job_ids"]))})


def erase_frame(database: Database, pictures: FrameStore, frame_id: str) -> Erased | None:
    """One frame, stored or dead. None if there is none."""
    return _erase(database, pictures, lambda _: [frame_id])


def erase_passage(database: Database, pictures: FrameStore, passage_id: str) -> Erased | None:
    """A vehicle, and every frame it was read on. None if there is no such passage."""
    of_passage = sa.select(Readings.frame_id).where(Readings.passage_id == passage_id).distinct().limit(_MAX_FRAMES)
    with database.read() as connection:
        source_id = connection.scalar(sa.select(Passages.source_id).where(Passages.passage_id == passage_id))
    erased = _erase_all(database, pictures, lambda connection: list(connection.scalars(of_passage)))
    erased = _erase_empty(database, erased, Passages.passage_id == passage_id)
    return _clear_retained(database, source_id, erased)


def erase_source(database: Database, pictures: FrameStore, source_id: str) -> Erased | None:
    """All frames, dead letters, passages and conversations of a source; a camera goes on. None if there are none."""
    of_source = [sa.select(table.frame_id).where(table.source_id == source_id).limit(_MAX_FRAMES) for table in _BOTH]
    erased = _erase_all(
        database, pictures, lambda connection: {key for some in of_source for key in connection.scalars(some)}
    )
    erased = _clear_retained(database, source_id, _erase_empty(database, erased, Passages.source_id == source_id))
    conversations = _forget_conversations(database, source_id)
    return erased if not conversations else (erased or Erased()).plus(Erased(conversations=conversations))


def _clear_retained(database: Database, source_id: str | None, erased: Erased | None) -> Erased | None:
    """The last plate of a source may be one that is erased; the next one tells of its sensor again."""
    if erased is not None and source_id is not None:
        with database.write() as connection:
            tell_source_ended(connection, source_id)
    return erased


def erase_jobs(database: Database, pictures: FrameStore, job_ids: Sequence[str]) -> Erased:
    """All that came with some jobs, as the questions of a conversation."""
    of_jobs = [sa.select(table.frame_id).where(table.job_id.in_(job_ids)).limit(_MAX_FRAMES) for table in _BOTH]
    erased = _erase_all(
        database, pictures, lambda connection: {key for some in of_jobs for key in connection.scalars(some)}
    )
    return (erased or Erased()).plus(Erased(job_ids=_erase_dropped(database, pictures, job_ids)))


def _erase_dropped(database: Database, pictures: FrameStore, job_ids: Sequence[str]) -> tuple[str, ...]:
    """Jobs of which everything was dropped: no frame leads to them, and they hold what came in. Returns which."""
    of_jobs = Jobs.job_id.in_(job_ids)
    with database.write() as connection:
        found = tuple(connection.scalars(sa.select(Jobs.job_id).where(of_jobs)))
        spares = forget_accepted(connection, found)  # before their jobs are gone, which say that they are finished
        connection.execute(sa.delete(Jobs).where(of_jobs))
    pictures.delete_many(spares)
    return found


def _forget_conversations(database: Database, source_id: str) -> int:
    """Those of a source; without a transaction where there are none, so that no entry says that something was done."""
    with database.read() as connection:
        known = sa.select(Conversations.conversation_id).where(Conversations.source_id == source_id).limit(1)
        if connection.scalar(known) is None:
            return 0
    return forget_source(database, source_id)


_BOTH: Final = (Frames, DeadLetters)
Pick = Callable[[sa.Connection], Collection[str]]


def _erase_all(database: Database, pictures: FrameStore, pick: Pick) -> Erased | None:
    erased: Erased | None = None
    while (some := _erase(database, pictures, pick)) is not None:
        erased = some if erased is None else erased.plus(some)
    return erased


class _NothingError(Exception):
    """Ends a transaction in which nothing was done, so that no entry says that something was."""


def _erase(database: Database, pictures: FrameStore, pick: Pick) -> Erased | None:
    """What `pick` names, in one transaction; None if nothing of it is there."""
    try:
        return _erase_some(database, pictures, pick)
    except _NothingError:
        return None


def _erase_some(database: Database, pictures: FrameStore, pick: Pick) -> Erased:
    with database.write() as connection:
        ids = sorted(pick(connection))
        sources = [connection.scalars(sa.select(t.source_id).where(t.frame_id.in_(ids))).all() for t in _BOTH]
        lock_sources(connection, {source_id for some in sources for source_id in some})
        frames = connection.execute(_FRAMES.where(Frames.frame_id.in_(ids))).all()
        letters = connection.execute(_LETTERS.where(DeadLetters.frame_id.in_(ids))).all()
        if not frames and not letters:
            raise _NothingError
        read = sa.select(Readings.passage_id).where(Readings.frame_id.in_(ids), Readings.passage_id.is_not(None))
        passage_ids = sorted(filter(None, connection.scalars(read.distinct())))
        gone = Counter({table.__tablename__: _delete(connection, table, ids) for table in _OF_FRAMES})
        now = datetime.now(UTC)
        lists = ListReader().read(connection)
        removed, changed, plates = sum_up_again(connection, passage_ids, lists, now)
        forget_plates(connection, plates)
        job_ids = sorted({row.job_id for row in (*frames, *letters)})
        spares = forget_accepted(connection, job_ids)  # before their jobs are gone, which say that they are finished
        _take_out_of_jobs(connection, job_ids, frozenset(ids))
        forget_questions(connection, job_ids)
        events = _erase_events(connection, ids, removed)
        note_removed(
            connection,
            now,
            stored=[(frame.source_id, frame.published_at) for frame in frames],
            dead=[(letter.source_id, letter.times) for letter in letters],
        )
    pictures.delete_many(spares)
    return Erased(
        frames=gone["frames"],
        detections=gone["detections"],
        readings=gone["readings"],
        dead_letters=gone["dead_letters"],
        passages=len(removed),
        changed_passages=changed,
        events=events,
        job_ids=tuple(job_ids),
        pictures=free_pictures(database, pictures, [row.frame_id for row in (*frames, *letters) if row.picture_kept]),
    )


def _erase_empty(database: Database, erased: Erased | None, condition: sa.ColumnElement[bool]) -> Erased | None:
    """Passages of readings that went by age, in their turn."""
    is_read = sa.exists().where(Readings.passage_id == Passages.passage_id)
    with database.read() as connection:
        if connection.scalar(sa.select(Passages.passage_id).where(condition, ~is_read).limit(1)) is None:
            return erased
    with database.write() as connection:
        sources = connection.scalars(sa.select(Passages.source_id).where(condition).distinct()).all()
        lock_sources(connection, sources)
        left = list(connection.scalars(sa.select(Passages.passage_id).where(condition, ~is_read)))
        removed, _, plates = sum_up_again(connection, left, ListReader().read(connection), datetime.now(UTC))
        forget_plates(connection, plates)
        events = _erase_events(connection, (), removed)
    return erased if not removed else (erased or Erased()).plus(Erased(passages=len(removed), events=events))


def _erase_events(connection: sa.Connection, frame_ids: Sequence[str], passage_ids: Sequence[str]) -> int:
    """Events about what is gone, sent ones too. No index helps: all are looked at."""
    about = Deliveries.payload["data"]
    count = 0
    for name, ids in (("frame_id", frame_ids), ("best_frame_id", frame_ids), ("passage_id", passage_ids)):
        for start in range(0, len(ids), MAX_ROWS):
            is_about = about[name].as_string().in_(ids[start : start + MAX_ROWS])
            count += connection.execute(sa.delete(Deliveries).where(is_about)).rowcount
    return count


def _take_out_of_jobs(connection: sa.Connection, job_ids: Sequence[str], frame_ids: frozenset[str]) -> None:
    """A job never says of a frame that it is stored that is not there."""
    columns = (Jobs.job_id, Jobs.outcomes, Jobs.dropped)
    for job in connection.execute(sa.select(*columns).where(Jobs.job_id.in_(job_ids))).all():
        outcomes = [entry for entry in job.outcomes if entry[0] not in frame_ids]
        of_job = Jobs.job_id == job.job_id
        if outcomes:
            values: dict[str, Any] = {"outcomes": outcomes, "frame_count": len(outcomes)}
            connection.execute(sa.update(Jobs).where(of_job).values(values))
        else:
            connection.execute(sa.delete(Jobs).where(of_job))


def _delete(connection: sa.Connection, table: Any, frame_ids: Sequence[str]) -> int:
    return connection.execute(sa.delete(table).where(table.frame_id.in_(frame_ids))).rowcount


_FRAMES: Final = sa.select(Frames.frame_id, Frames.job_id, Frames.source_id, Frames.published_at, Frames.picture_kept)
_LETTERS: Final = sa.select(
    DeadLetters.frame_id, DeadLetters.job_id, DeadLetters.source_id, DeadLetters.times, DeadLetters.picture_kept
)
#: Children first.
_OF_FRAMES: Final = (Findings, Detections, Readings, DeadLetters, Frames)

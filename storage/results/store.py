"""The one writer of results: finished messages become rows, in one transaction that may be repeated without harm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from sightline.errors import BadMessageError
from sightline.types import JobResult
from sightline.wire.messages import Message
from storage.database.bulk import insert_new_rows, insert_rows
from storage.database.engine import Database, insert_into
from storage.items.writers import RowsOfPipelines, StoredItem, rows_module
from storage.jobs import rows
from storage.jobs.job_rows import DEAD, DROPPED, REPEATED, STORED, JobRecord, claim_jobs, settle_jobs
from storage.jobs.wire_results import load_job
from storage.sinks.outbox import Outbox
from storage.tables import DeadLetters, Frames, Sources


class Stored(NamedTuple):
    """What became of one message. `counts`: per source, how many frames were stored, repeated, dead, dropped:<rule>.

    A frame counts as repeated when another publish had stored it before. A repetition of the same publish gives the
    counts of the first time.
    """

    job_id: str
    counts: dict[str, Counter[str]]
    result: JobResult


class Store:
    """Writes what the stages found. Safe to share between threads."""

    def __init__(self, database: Database, rows: RowsOfPipelines, outbox: Outbox | None = None) -> None:
        self._database = database
        self._rows = rows
        self._outbox = outbox or Outbox()

    def store(self, messages: Sequence[Message], kept: Collection[str]) -> list[Stored]:
        """Store all messages in one transaction: all or none. `kept`: frame_ids whose picture is in the picture store.

        Returns one `Stored` per message, in their order. Items with an error become dead letters, dropped ones are
        only noted in their job, the others become rows: which, their pipeline says.

        Raises:
            StoreUnavailableError: the database does not answer; nothing was stored, try again.
            BadMessageError: a message has no results or a value that cannot be stored; nothing was stored. With
                several messages, store each alone to find the bad one.
        """
        if not messages:
            return []
        for message in messages:
            if not message.results:
                raise BadMessageError(f"results: job {message.job.job_id} went through no stage", field="results")
        newest = _newest_publishes(messages)
        now = datetime.now(UTC)
        with self._database.write() as connection:
            records = claim_jobs(connection, list(newest.values()), now)
            fresh = [message for job_id, message in newest.items() if _is_new(message, records.get(job_id))]
            if fresh:
                records |= self._write(connection, fresh, records, kept, now)
                settle_jobs(connection, [(message, records[message.job.job_id]) for message in fresh])
            return [
                _stored(connection, message, newest[message.job.job_id], records[message.job.job_id])
                for message in messages
            ]

    def _write(
        self,
        connection: sa.Connection,
        messages: list[Message],
        earlier: dict[str, JobRecord],
        kept: Collection[str],
        now: datetime,
    ) -> dict[str, JobRecord]:
        """Write what the claimed messages hold."""
        good = [
            StoredItem(message.job, result)
            for message in messages
            for result in message.results
            if result.error is None and result.dropped is None
        ]
        _insert_sources(connection, messages, now)
        writes = self._rows.begin(connection, good)
        new = _insert_items(connection, good, kept, now)
        changes = [write(connection, [one for one in new if _is_of(one, name)], now) for name, write in writes]
        stored = {(one.job.job_id, one.key) for one in new}
        stored_before = _rows_of_failed(connection, messages)
        judged = [(message, _outcomes(message, stored, stored_before)) for message in messages]
        letters = _insert_dead_letters(connection, judged, kept, now)
        self._outbox.write(connection, judged, letters, changes, now)
        return {
            message.job.job_id: _record(message, outcomes, earlier.get(message.job.job_id), now)
            for message, outcomes in judged
        }


def _newest_publishes(messages: Sequence[Message]) -> dict[str, Message]:
    newest: dict[str, Message] = {}
    for message in messages:
        other = newest.setdefault(message.job.job_id, message)
        if rows.published_at(message.job) > rows.published_at(other.job):
            newest[message.job.job_id] = message
    return newest


def _is_new(message: Message, record: JobRecord | None) -> bool:
    return record is None or record.published_at < rows.published_at(message.job)


def _insert_sources(connection: sa.Connection, messages: list[Message], now: datetime) -> None:
    source_ids = sorted({frame.source_id for message in messages for frame in message.job.frames})
    new = [{"source_id": source_id, "created_at": now} for source_id in source_ids]
    insert_rows(connection, Sources, new, if_new=True)


def _insert_items(
    connection: sa.Connection, good: list[StoredItem], kept: Collection[str], now: datetime
) -> list[StoredItem]:
    """Returns those that were not in the database yet, sorted by key."""
    if not good:
        return []
    first: dict[str, StoredItem] = {}
    for one in good:
        first.setdefault(one.key, one)
    new = [rows.item_row(one.job, one.result, picture_kept=key in kept, now=now) for key, one in sorted(first.items())]
    return [first[key] for key in sorted(insert_new_rows(connection, Frames, new, "frame_id"))]


def _is_of(item: StoredItem, module: str) -> bool:
    return rows_module(item.job.pipeline) == module


def _rows_of_failed(connection: sa.Connection, messages: list[Message]) -> set[str]:
    """Frames that failed or were dropped this time although they are stored already."""
    failed = [
        result.frame.frame_id for message in messages for result in message.results if result.error or result.dropped
    ]
    if not failed:
        return set()
    return set(connection.scalars(sa.select(Frames.frame_id).where(Frames.frame_id.in_(failed))))


def _outcomes(message: Message, stored: set[tuple[str, str]], stored_before: set[str]) -> dict[str, str]:
    outcomes: dict[str, str] = {}
    for result in message.results:
        frame_id = result.frame.frame_id
        if (message.job.job_id, frame_id) in stored:
            outcome = STORED
        elif frame_id in stored_before or not (result.error or result.dropped):
            outcome = REPEATED
        else:
            outcome = DEAD if result.error else DROPPED + rows.clean(result.dropped or "")
        outcomes.setdefault(frame_id, outcome)
    return outcomes


def _insert_dead_letters(
    connection: sa.Connection, judged: list[tuple[Message, dict[str, str]]], kept: Collection[str], now: datetime
) -> dict[tuple[str, str], str]:
    """Returns (frame_id, job_id) -> letter_id."""
    dead = {
        (result.frame.frame_id, message.job.job_id): (message.job, result)
        for message, outcomes in judged
        for result in message.results
        if result.error and outcomes[result.frame.frame_id] == DEAD
    }
    if not dead:
        return {}
    first_jobs = _first_jobs(connection, {job_id for _, job_id in dead})
    new = [
        rows.dead_letter_row(
            job, result, job_id=first_jobs.get((frame_id, job_id), job_id), picture_kept=frame_id in kept, now=now
        )
        for (frame_id, job_id), (job, result) in dead.items()
    ]
    insert = insert_into(connection, DeadLetters)
    latest = {name: insert.excluded[name] for name in ("stage", "reason", "message", "attempt", "died_at", "result")}
    again: dict[str, Any] = {
        "times": DeadLetters.times + 1,
        "picture_kept": sa.or_(DeadLetters.picture_kept, insert.excluded.picture_kept),
        "replayed_at": None,
        "discarded_at": None,
    }
    connection.execute(
        insert.on_conflict_do_update(index_elements=[DeadLetters.frame_id, DeadLetters.job_id], set_=latest | again),
        sorted(new, key=lambda row: (row["frame_id"], row["job_id"])),
    )
    return {key: row["letter_id"] for key, row in zip(dead, new, strict=True)}


def _first_jobs(connection: sa.Connection, job_ids: set[str]) -> dict[tuple[str, str], str]:
    """Of those jobs that replay a dead letter: the letter's job, by frame and job. One frame stays one letter."""
    letters = sa.select(DeadLetters.frame_id, DeadLetters.replay_job_id, DeadLetters.job_id)
    found = connection.execute(letters.where(DeadLetters.replay_job_id.in_(job_ids)))
    return {(frame_id, str(replay_job_id)): job_id for frame_id, replay_job_id, job_id in found}


def _record(message: Message, outcomes: dict[str, str], earlier: JobRecord | None, now: datetime) -> JobRecord:
    """What the job's row shall say. A publish of some frames of a job leaves what is known of the others."""
    record = JobRecord(rows.published_at(message.job), now)
    if earlier is not None:
        record.outcomes |= earlier.outcomes
        record.dropped += [each for each in earlier.dropped if each["frame"]["frame_id"] not in outcomes]
    record.outcomes |= outcomes
    record.dropped += [
        result.model_dump(mode="json")
        for result in message.results
        if outcomes[result.frame.frame_id].startswith(DROPPED)
    ]
    record.written_whole = (
        earlier is None and REPEATED not in outcomes.values() and len(outcomes) == len(message.results)
    )
    return record


def _stored(connection: sa.Connection, message: Message, newest: Message, record: JobRecord) -> Stored:
    job = message.job
    outcomes = record.outcomes if record.published_at == rows.published_at(job) else {}
    counts: dict[str, Counter[str]] = {}
    seen: set[str] = set()
    for frame in job.frames:
        outcome = outcomes.get(frame.frame_id, REPEATED) if frame.frame_id not in seen else REPEATED
        counts.setdefault(frame.source_id, Counter())[outcome] += 1
        seen.add(frame.frame_id)
    return Stored(job.job_id, counts, _result(connection, newest, record))


def _result(connection: sa.Connection, message: Message, record: JobRecord) -> JobResult:
    """The job as it is in the database; read back only where this message does not tell it all."""
    job = message.job
    if record.written_whole:
        return JobResult(
            job_id=job.job_id,
            pipeline=job.pipeline,
            status=record.status,
            frames=message.results,
            finished_at=record.finished_at,
        )
    result = load_job(connection, job.job_id)
    assert result is not None  # claimed in this transaction
    return result

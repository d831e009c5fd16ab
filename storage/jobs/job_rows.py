"""Jobs in the database: claimed at the start of a transaction, settled at its end.

The row of a job says which publish wrote it. The first transaction that claims a publish decides its outcomes; every
repetition of that publish is answered from the row and writes nothing. So counts are the same after any crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from sightline.tracing import trace_id_of
from sightline.types import JobStatus
from sightline.wire.messages import Message
from storage.database.bulk import insert_new_rows
from storage.jobs.rows import published_at
from storage.tables import Jobs

STORED: Final = "stored"
REPEATED: Final = "repeated"
DEAD: Final = "dead"
DROPPED: Final = "dropped:"  #: followed by the rule


@dataclass(slots=True)
class JobRecord:
    """What a job's row knows. `outcomes`: frame_id -> stored, repeated, dead or dropped:<rule>, in order."""

    published_at: datetime
    finished_at: datetime
    outcomes: dict[str, str] = field(default_factory=dict[str, str])
    dropped: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    written_whole: bool = False  #: every frame of the job was decided by the message just stored

    @property
    def status(self) -> JobStatus:
        outcomes = self.outcomes.values()
        if DEAD in outcomes:
            return JobStatus.DEAD
        if all(outcome.startswith(DROPPED) for outcome in outcomes):
            return JobStatus.DROPPED
        return JobStatus.STORED


def claim_jobs(connection: sa.Connection, messages: Sequence[Message], now: datetime) -> dict[str, JobRecord]:
    """Take hold of one message per job until the transaction ends. Returns what is known of jobs that were here before.

    Another transaction with one of these jobs waits here, and then finds it in the returned records.
    """
    rows = [_claim_row(message, now) for message in messages]
    rows.sort(key=lambda row: row["job_id"])
    records: dict[str, JobRecord] = {}
    while rows:
        claimed = insert_new_rows(connection, Jobs, rows, "job_id")
        known = [row["job_id"] for row in rows if row["job_id"] not in claimed]
        records |= _load(connection, known) if known else {}
        # A job that was here and is not any more went by age just now: it is new again.
        rows = [row for row in rows if row["job_id"] not in claimed and row["job_id"] not in records]
    return records


def settle_jobs(connection: sa.Connection, settled: Iterable[tuple[Message, JobRecord]]) -> None:
    """Write what became of the claimed jobs."""
    rows = [_settled_row(message, record) for message, record in settled]
    connection.execute(_SETTLE, sorted(rows, key=lambda row: row["of_job"]))


def _claim_row(message: Message, now: datetime) -> dict[str, Any]:
    job = message.job
    return {
        "job_id": job.job_id,
        "pipeline": job.pipeline,
        "lane": job.lane.value,
        "status": JobStatus.OPEN.value,
        "attempt": job.attempt,
        "frame_count": len(job.frames),
        "published_at": published_at(job),
        "finished_at": now,
        "outcomes": [],
        "dropped": [],
        "trace_id": trace_id_of(job.traceparent) if job.traceparent else None,
    }


def _settled_row(message: Message, record: JobRecord) -> dict[str, Any]:
    return {
        "of_job": message.job.job_id,
        "status": record.status.value,
        "attempt": message.job.attempt,
        "frame_count": len(record.outcomes),
        "published_at": record.published_at,
        "finished_at": record.finished_at,
        "outcomes": list(record.outcomes.items()),
        "dropped": record.dropped,
    }


def _load(connection: sa.Connection, job_ids: list[str]) -> dict[str, JobRecord]:
    statement = (
        sa.select(Jobs.job_id, Jobs.published_at, Jobs.finished_at, Jobs.outcomes, Jobs.dropped)
        .where(Jobs.job_id.in_(job_ids))
        .order_by(Jobs.job_id)
        .with_for_update()
    )
    return {
        job_id: JobRecord(published, finished, dict(outcomes), dropped)
        for job_id, published, finished, outcomes, dropped in connection.execute(statement)
    }


_SETTLE: Final = (
    sa.update(Jobs)
    .where(Jobs.job_id == sa.bindparam("of_job"))
    .values({name: sa.bindparam(name) for name in ("status", "attempt", "frame_count", "published_at", "finished_at")})
    .values(outcomes=sa.bindparam("outcomes"), dropped=sa.bindparam("dropped"))
)

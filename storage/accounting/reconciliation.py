"""What the database can say about the frames of a range of time, by when their jobs were published."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Literal

import sqlalchemy as sa

from sightline.types import JobStatus, Value
from storage.accounting.removed import hour_of
from storage.database.engine import Database
from storage.jobs.job_rows import DEAD, STORED
from storage.tables import DeadLetters, Frames, Jobs, RemovedRows

_AT_ONCE = 500
#: A job ends after it was published, and clocks differ by less than this: by an index what ended before is left out.
_CLOCKS_DIFFER = timedelta(hours=1)


class MissingFrame(Value):
    """A frame whose job says `outcome`, and the row that belongs to it is not there."""

    frame_id: str
    job_id: str
    outcome: Literal["stored", "dead"]


def rows_between(database: Database, since: datetime, until: datetime) -> dict[str, Counter[str]]:
    """How many frames of each source are `stored`, of jobs published from `since` on and before `until`, whole hours;
    and how many were and are `removed` by age."""
    rows = (
        sa.select(Frames.source_id, sa.literal("stored"), sa.func.count())
        .join(Jobs, Jobs.job_id == Frames.job_id)
        .where(Jobs.finished_at >= since - _CLOCKS_DIFFER, Frames.published_at >= since, Frames.published_at < until)
        .group_by(Frames.source_id)
    )
    removed = (
        sa.select(RemovedRows.source_id, sa.literal("removed"), sa.func.sum(RemovedRows.stored))
        .where(RemovedRows.hour >= hour_of(since), RemovedRows.hour < hour_of(until))
        .group_by(RemovedRows.source_id)
    )
    return count_rows(database, rows, removed)


def count_rows(database: Database, *counts: sa.Select[*tuple[Any, ...]]) -> dict[str, Counter[str]]:
    """Selects of source, name and number, read at one moment: a row that goes meanwhile is counted once."""
    found: dict[str, Counter[str]] = {}
    with database.read() as connection:
        for row in connection.execute(sa.union_all(*counts)):
            source_id, name, number = tuple(row)
            if number:
                found.setdefault(source_id, Counter())[name] += int(number)
    return found


def missing_between(
    database: Database, since: datetime, until: datetime, *, dead_only: bool, limit: int = 100
) -> list[MissingFrame]:
    """Frames whose job of that time says that they are stored or dead, without their row. Reads every such job.

    With `dead_only` only jobs with a dead frame are read: far fewer.
    """
    jobs = sa.select(Jobs.job_id, Jobs.outcomes).where(
        Jobs.finished_at >= since - _CLOCKS_DIFFER, Jobs.published_at >= since, Jobs.published_at < until
    )
    if dead_only:
        jobs = jobs.where(Jobs.status == JobStatus.DEAD.value)
    missing: list[MissingFrame] = []
    with database.read() as connection:
        found = connection.execution_options(yield_per=1000).execute(jobs.order_by(Jobs.finished_at))
        ended = ((job_id, frame_id, outcome) for job_id, outcomes in found for frame_id, outcome in outcomes)
        while some := list(islice(ended, _AT_ONCE)):
            missing += _still_missing(connection, _without_row(connection, some))
            if len(missing) >= limit:
                break
    return missing[:limit]


def _still_missing(connection: sa.Connection, missing: list[MissingFrame]) -> list[MissingFrame]:
    """Without those whose job went by age while it was looked at."""
    jobs = sa.select(Jobs.job_id).where(Jobs.job_id.in_({each.job_id for each in missing}))
    there = set(connection.scalars(jobs)) if missing else set[str]()
    return [each for each in missing if each.job_id in there]


def _without_row(connection: sa.Connection, ended: list[tuple[str, str, str]]) -> list[MissingFrame]:
    frame_ids = [frame_id for _, frame_id, _ in ended]
    there = {
        STORED: set(connection.scalars(sa.select(Frames.frame_id).where(Frames.frame_id.in_(frame_ids)))),
        DEAD: set(connection.scalars(sa.select(DeadLetters.frame_id).where(DeadLetters.frame_id.in_(frame_ids)))),
    }
    return [
        MissingFrame.model_validate({"frame_id": frame_id, "job_id": job_id, "outcome": outcome})
        for job_id, frame_id, outcome in ended
        if outcome in there and frame_id not in there[outcome]
    ]

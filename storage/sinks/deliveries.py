"""What waits in the outbox: taken with a lease, sent, settled; replayed and counted.

Nothing is locked while a receiver is talked to. What was taken and not settled, because its process died, is due again
when its lease ends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from sightline.ids import new_id
from sightline.types import Value
from sightline.wire.events import SOURCE_ENDED, TEST_EVENT
from storage.database.engine import Database
from storage.sinks.outbox import delivery_row
from storage.sinks.sinks import Sink, to_sink
from storage.tables import Deliveries, Sinks


class DueDelivery(NamedTuple):
    """One event for one sink. `attempts`: the one it was taken for included."""

    delivery_id: str
    topic: str
    payload: dict[str, Any]
    attempts: int

    @property
    def source_id(self) -> str:
        return str(self.payload["data"].get("source_id", ""))

    @property
    def passage_id(self) -> str | None:
        return self.payload["data"].get("passage_id")


class Failure(NamedTuple):
    """An attempt that failed. Without `retry_at` it was the last."""

    delivery_id: str
    error: str
    retry_at: datetime | None


class SinkCounts(Value):
    """`pending` wait or are being sent, `dead` were given up; `sent` ever."""

    pending: int = 0
    sent: int = 0
    dead: int = 0
    last_error: str | None = None


def due_sinks(database: Database, now: datetime) -> list[tuple[Sink, bool]]:
    """All sinks, each with whether something is due for it."""
    due = sa.exists().where(Deliveries.sink == Sinks.sink_id, Deliveries.next_attempt_at <= now)
    rows = sa.select(Sinks.__table__, due.label("due")).order_by(Sinks.sink_id)
    with database.read() as connection:
        return [(to_sink(row), bool(row["due"])) for row in connection.execute(rows).mappings()]


def take_due(database: Database, sink_id: str, *, limit: int, lease: timedelta, now: datetime) -> list[DueDelivery]:
    """The oldest due rows of a sink, which nobody else gets before the lease ends.

    What happened to a passage is told in its order: an event waits while an earlier one of its passage is being sent or
    is to be tried again.
    """
    due = sa.select(*_TAKEN).where(Deliveries.sink == sink_id, Deliveries.next_attempt_at <= now)
    due = due.order_by(Deliveries.next_attempt_at, Deliveries.created_at).limit(limit)
    with database.write() as connection:
        while found := connection.execute(due.with_for_update(skip_locked=True)).all():
            until = _waits_for_earlier(connection, sink_id, found, limit, lease, now)
            if until:
                behind = [{"of": delivery_id, "until": moment} for delivery_id, moment in until.items()]
                connection.execute(_BEHIND, sorted(behind, key=lambda row: str(row["of"])))
            taken = [row for row in found if row.delivery_id not in until]
            if taken:
                connection.execute(
                    sa.update(Deliveries)
                    .where(Deliveries.delivery_id.in_([row.delivery_id for row in taken]))
                    .values(attempts=Deliveries.attempts + 1, next_attempt_at=now + lease)
                )
                return [DueDelivery(*row[:4]) for row in sorted(taken, key=lambda row: row.created_at)]
    return []


def _waits_for_earlier(
    connection: sa.Connection, sink_id: str, found: Sequence[Any], limit: int, lease: timedelta, now: datetime
) -> dict[str, datetime]:
    """Of rows that are due those that have to wait, each with the moment until when."""
    passages = {row.passage_id for row in found if row.passage_id is not None}
    if not passages:
        return {}
    taken, newest = {row.delivery_id for row in found}, max(row.created_at for row in found)
    waiting = sa.select(Deliveries.delivery_id, _PASSAGE, Deliveries.created_at, Deliveries.next_attempt_at)
    waiting = waiting.where(Deliveries.sink == sink_id)
    next_due = waiting.where(Deliveries.next_attempt_at <= now).order_by(Deliveries.next_attempt_at)
    next_due = next_due.limit(limit + _LOOK_AHEAD).subquery()
    not_due = waiting.where(Deliveries.next_attempt_at > now).subquery()
    earlier: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for rows in (next_due, not_due):
        of_these = sa.select(rows).where(rows.c.created_at < newest, rows.c.passage_id.in_(passages))
        for delivery_id, passage_id, created_at, at in connection.execute(of_these):
            if delivery_id not in taken:
                earlier[passage_id].append((created_at, at))
    until: dict[str, datetime] = {}
    for row in sorted(found, key=lambda row: row.created_at):
        before = [at for created_at, at in earlier[row.passage_id] if created_at < row.created_at]
        if before:
            # What is being sent just now will not take all of its lease.
            at = max(before) if max(before) > now + lease else now + _SOON
            # A moment behind each other, so that they stay in their order.
            until[row.delivery_id] = at + timedelta(microseconds=1 + len(until))
    return until


def settle(
    database: Database,
    sink_id: str,
    *,
    sent: Sequence[str] = (),
    failed: Sequence[Failure] = (),
    untried: Sequence[DueDelivery] = (),
    now: datetime,
) -> None:
    """Note what became of taken rows, in one transaction that may be repeated."""
    with database.write() as connection:
        done = sa.update(Deliveries).where(Deliveries.delivery_id.in_(sent), Deliveries.sent_at.is_(None))
        done = done.values(sent_at=now, next_attempt_at=None, last_error=None)
        count = connection.execute(done).rowcount if sent else 0
        if failed:
            rows = [{"of": each.delivery_id, "error": each.error, "retry_at": each.retry_at} for each in failed]
            connection.execute(_FAILED, sorted(rows, key=lambda row: row["of"]))
        if untried:
            back = [{"of": each.delivery_id, "tried": each.attempts - 1} for each in untried]
            connection.execute(_UNTRIED, sorted(back, key=lambda row: str(row["of"])))
        if sent or failed:
            last_error = failed[-1].error if failed else None
            changed = {"sent_count": Sinks.sent_count + count, "last_error": last_error}
            connection.execute(sa.update(Sinks).where(Sinks.sink_id == sink_id).values(changed))


def hasten(database: Database, sink_id: str, now: datetime) -> None:
    """The receiver is back: what was to be tried later is due now, in its old order, and so is what waited for it."""
    with database.write() as connection:
        waits = sa.and_(Deliveries.attempts == 0, Deliveries.topic != SOURCE_ENDED)  # which is meant for later
        to_be_tried = sa.or_(Deliveries.last_error.is_not(None), waits)
        connection.execute(
            sa.update(Deliveries)
            .where(Deliveries.sink == sink_id, Deliveries.next_attempt_at > now, to_be_tried)
            .values(next_attempt_at=Deliveries.created_at)
        )


def replay(database: Database, sink_id: str, since: datetime, until: datetime) -> int:
    """Send what was sent or given up in a range of time once more, under the same ids. Returns how many."""
    again = (
        sa.update(Deliveries)
        .where(
            Deliveries.sink == sink_id,
            Deliveries.created_at >= since,
            Deliveries.created_at < until,
            Deliveries.next_attempt_at.is_(None),
            Deliveries.topic.not_in((TEST_EVENT, SOURCE_ENDED)),
        )
        .values(attempts=0, next_attempt_at=Deliveries.created_at, sent_at=None, last_error=None)
    )
    with database.write() as connection:
        return connection.execute(again).rowcount


def add_test(database: Database, sink_id: str) -> str:
    """A test event for the sink; returns its delivery_id."""
    row = delivery_row(sink_id, TEST_EVENT, (new_id(),), {"sink_id": sink_id}, datetime.now(UTC))
    with database.write() as connection:
        connection.execute(sa.insert(Deliveries), [row])
    return row["delivery_id"]


def outcome_of(database: Database, delivery_id: str) -> tuple[bool, str | None] | None:
    """Whether it was sent, and the error it was given up with; None while it waits."""
    rows = sa.select(Deliveries.sent_at, Deliveries.next_attempt_at, Deliveries.last_error)
    with database.read() as connection:
        row = connection.execute(rows.where(Deliveries.delivery_id == delivery_id)).first()
    if row is None or row.next_attempt_at is not None:
        return None
    return row.sent_at is not None, row.last_error


def count_deliveries(database: Database) -> dict[str, SinkCounts]:
    """By sink_id. Reads two small indexes: sent rows are counted as they are sent."""
    number = sa.func.count()
    waiting = sa.select(Deliveries.sink, number).where(Deliveries.next_attempt_at.is_not(None))
    dead = sa.select(Deliveries.sink, number).where(
        Deliveries.next_attempt_at.is_(None), Deliveries.sent_at.is_(None), Deliveries.topic != TEST_EVENT
    )
    with database.read() as connection:
        pending_of, dead_of = (
            {sink_id: count for sink_id, count in connection.execute(rows.group_by(Deliveries.sink))}  # noqa: C416
            for rows in (waiting, dead)
        )
        rows = connection.execute(sa.select(Sinks.sink_id, Sinks.sent_count, Sinks.last_error)).all()
    return {
        sink_id: SinkCounts(
            pending=pending_of.get(sink_id, 0), sent=sent, dead=dead_of.get(sink_id, 0), last_error=last_error
        )
        for sink_id, sent, last_error in rows
    }


def oldest_waiting(database: Database) -> dict[str, datetime]:
    """When the oldest event was made that waits for a sink or is being sent, by sink_id. Paused sinks are left out."""
    oldest = sa.select(Deliveries.sink, sa.func.min(Deliveries.created_at)).join(
        Sinks, Sinks.sink_id == Deliveries.sink
    )
    waiting = oldest.where(Deliveries.next_attempt_at.is_not(None), Sinks.enabled).group_by(Deliveries.sink)
    with database.read() as connection:
        return dict(connection.execute(waiting).all())


_PASSAGE = Deliveries.payload["data"]["passage_id"].as_string().label("passage_id")
_TAKEN = (
    Deliveries.delivery_id,
    Deliveries.topic,
    Deliveries.payload,
    (Deliveries.attempts + 1).label("attempts"),
    Deliveries.created_at,
    _PASSAGE,
)
#: Of what is due, so many more rows are looked through for an earlier event.
_LOOK_AHEAD = 256
_SOON = timedelta(seconds=1)
_BEHIND = (
    sa.update(Deliveries)
    .where(Deliveries.delivery_id == sa.bindparam("of"), Deliveries.sent_at.is_(None))
    .values(next_attempt_at=sa.bindparam("until"))
)
_FAILED = (
    sa.update(Deliveries)
    .where(Deliveries.delivery_id == sa.bindparam("of"), Deliveries.sent_at.is_(None))
    .values(last_error=sa.bindparam("error"), next_attempt_at=sa.bindparam("retry_at"))
)
_UNTRIED = (
    sa.update(Deliveries)
    .where(Deliveries.delivery_id == sa.bindparam("of"), Deliveries.sent_at.is_(None))
    .values(attempts=sa.bindparam("tried"), next_attempt_at=Deliveries.created_at)
)

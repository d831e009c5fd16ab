"""What waits in the outbox: taken with a lease, sent, settled; replayed and counted.

Nothing is locked while a receiver is talked to. What was taken and not settled, because its process died, is due again
when its lease ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from sightline.ids import new_id
from sightline.types import Value
from sightline.wire.events import TEST_EVENT
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
    """The oldest due rows of a sink, which nobody else gets before the lease ends."""
    columns = (Deliveries.delivery_id, Deliveries.topic, Deliveries.payload, Deliveries.attempts + 1)
    due = sa.select(*columns).where(Deliveries.sink == sink_id, Deliveries.next_attempt_at <= now)
    due = due.order_by(Deliveries.next_attempt_at, Deliveries.created_at).limit(limit)
    with database.write() as connection:
        taken = [DueDelivery(*row) for row in connection.execute(due.with_for_update(skip_locked=True))]
        if taken:
            connection.execute(
                sa.update(Deliveries)
                .where(Deliveries.delivery_id.in_([delivery.delivery_id for delivery in taken]))
                .values(attempts=Deliveries.attempts + 1, next_attempt_at=now + lease)
            )
    return taken


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
    """The receiver is back: what was to be tried again later is due now, in its old order."""
    with database.write() as connection:
        connection.execute(
            sa.update(Deliveries)
            .where(Deliveries.sink == sink_id, Deliveries.next_attempt_at > now, Deliveries.last_error.is_not(None))
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
            Deliveries.topic != TEST_EVENT,
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

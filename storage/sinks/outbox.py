"""Events: written in the transaction that causes them, one row per event and sink that wants it.

Ids follow from what happened, so whatever is done twice adds nothing. Without sinks nothing is built or written.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from sightline.ids import content_id
from sightline.types import ItemResult
from sightline.wire.events import Event
from sightline.wire.messages import Job, Message
from storage.database.engine import Database, insert_into
from storage.items.changes import Changes, NewEvent
from storage.jobs.job_rows import DEAD, STORED
from storage.jobs.rows import clean
from storage.passages.changes import passage_data
from storage.passages.views import view_passage
from storage.sinks.sinks import Sink, load_sinks, wanted_by
from storage.tables import Deliveries, Passages

#: A sink that was added or changed is heard of within this time.
_SINKS_EVERY_S = 2.0
_MAX_FINAL = 500


class Outbox:
    """Notes what a storing transaction did. Safe to share between threads."""

    def __init__(self, sinks_every_s: float = _SINKS_EVERY_S) -> None:
        self._every_s = sinks_every_s
        self._read_at = -sinks_every_s
        self._sinks: list[Sink] = []

    def write(
        self,
        connection: sa.Connection,
        judged: Sequence[tuple[Message, dict[str, str]]],
        letters: Mapping[tuple[str, str], str],
        changes: Sequence[Changes],
        now: datetime,
    ) -> None:
        """`judged`: the messages of this transaction, each with the outcome of its items. `letters`: the letter_id of
        those that are dead, by frame_id and job_id."""
        sinks = self._current(connection)
        if sinks:
            wanted = wanted_by(sinks)
            events = [*_frame_events(judged, letters, wanted.events)]
            for one in changes:
                events += one.events(wanted)
            _insert(connection, sinks, events, now, _traces(judged))

    def _current(self, connection: sa.Connection) -> list[Sink]:
        clock = time.monotonic()
        if clock - self._read_at >= self._every_s:
            self._sinks = [sink for sink in load_sinks(connection) if sink.collects]
            self._read_at = clock
        return self._sinks


def tell(connection: sa.Connection, event: NewEvent, now: datetime) -> None:
    """Note one event for the sinks that want it, in the transaction that makes it true."""
    _insert(connection, [sink for sink in load_sinks(connection) if sink.collects], [event], now)


def finalize_passages(database: Database, gap: timedelta, now: datetime) -> int:
    """Mark passages that got no reading for `gap` and tell the sinks. Returns how many; call again while there are.

    A sink hears only of passages that were seen since it exists.
    """
    silent = (Passages.final_at.is_(None), Passages.updated_at <= now - gap)
    with database.read() as connection:  # most often there is nothing to do, and nothing to lock
        if connection.execute(sa.select(Passages.passage_id).where(*silent).limit(1)).first() is None:
            return 0
    # A passage the writer is at just now is left for the next time.
    with database.write() as connection:
        sinks = [sink for sink in load_sinks(connection) if sink.collects and Event.PASSAGE_FINAL in sink.events]
        heard = min((sink.created_at for sink in sinks), default=now)
        unheard = sa.select(Passages.passage_id).where(*silent, Passages.updated_at < heard)
        marked = sa.update(Passages).values(final_at=now)
        connection.execute(marked.where(Passages.passage_id.in_(unheard.with_for_update(skip_locked=True))))
        rows = sa.select(Passages.__table__).where(*silent).order_by(Passages.updated_at).limit(_MAX_FINAL)
        found = connection.execute(rows.with_for_update(skip_locked=True)).mappings().all()
        for row in found:
            view = view_passage({**row, "final_at": now})
            event = NewEvent(Event.PASSAGE_FINAL, view.source_id, (view.passage_id,), passage_data(view))
            _insert(connection, [sink for sink in sinks if sink.created_at <= row["updated_at"]], [event], now)
        if found:
            connection.execute(marked.where(Passages.passage_id.in_([row["passage_id"] for row in found])))
    return len(found)


def _traces(judged: Sequence[tuple[Message, dict[str, str]]]) -> dict[str, str]:
    """Of each source whose jobs are traced, the last one: what changed by them belongs to it."""
    jobs = (message.job for message, _ in judged)
    return {item.source_id: job.traceparent for job in jobs if job.traceparent for item in job.frames}


def tell_sinks(connection: sa.Connection, events: Sequence[NewEvent], now: datetime) -> None:
    """Note events of something that no message caused."""
    _insert(connection, [sink for sink in load_sinks(connection) if sink.collects], events, now)


def delivery_row(
    sink_id: str,
    topic: str,
    identity: Iterable[str],
    data: Mapping[str, Any],
    now: datetime,
    traceparent: str | None = None,
) -> dict[str, Any]:
    """One event on its way to one sink."""
    trace = {"traceparent": traceparent} if traceparent else {}
    return {
        "delivery_id": content_id(sink_id, topic, *identity),
        "sink": sink_id,
        "topic": topic,
        "payload": {"type": topic, "timestamp": now.isoformat(), **trace, "data": dict(data)},
        "attempts": 0,
        "created_at": now,
        "next_attempt_at": now,
    }


def _insert(
    connection: sa.Connection,
    sinks: Sequence[Sink],
    events: Iterable[NewEvent],
    now: datetime,
    traces: Mapping[str, str] = MappingProxyType({}),
) -> None:
    rows: dict[str, dict[str, Any]] = {}
    for event in events:
        for sink in sinks:
            if sink.wants(event):
                at = now + timedelta(microseconds=len(rows))
                row = delivery_row(
                    sink.sink_id, event.type.value, event.identity, event.data, at, traces.get(event.source_id)
                )
                rows.setdefault(row["delivery_id"], row)
    if rows:
        insert = insert_into(connection, Deliveries).on_conflict_do_nothing()
        connection.execute(insert, [row for _, row in sorted(rows.items())])


def _frame_events(
    judged: Iterable[tuple[Message, dict[str, str]]], letters: Mapping[tuple[str, str], str], wanted: frozenset[Event]
) -> Iterator[NewEvent]:
    if not wanted & {Event.FRAME_STORED, Event.FRAME_DEAD}:
        return
    for message, outcomes in judged:
        for result in message.results:
            outcome = outcomes[result.frame.frame_id]
            if outcome == STORED and not result.error:
                yield _frame_event(Event.FRAME_STORED, message.job, result, (), result.found)
            elif outcome == DEAD and result.error:
                # A frame may die again when its job is published again: that is news.
                again = (message.job.job_id, repr(message.job.published_at))
                error = {name: clean(text) for name, text in result.error.model_dump().items()}
                letter_id = letters[result.frame.frame_id, message.job.job_id]
                data = error | {"attempt": message.job.attempt, "letter_id": letter_id}
                yield _frame_event(Event.FRAME_DEAD, message.job, result, again, data)


def _frame_event(
    event: Event, job: Job, result: ItemResult, identity: tuple[str, ...], data: Mapping[str, Any]
) -> NewEvent:
    frame = result.frame
    about = frame.model_dump(mode="json") | {"job_id": job.job_id, "pipeline": job.pipeline}
    links = {"frame": f"/v1/frames/{frame.frame_id}"}
    if event is Event.FRAME_DEAD:
        links["letter"] = f"/v1/dead-letters/{data['letter_id']}"
    elif not frame.parts:
        links["picture"] = f"/v1/frames/{frame.frame_id}/annotated"
    return NewEvent(event, frame.source_id, (frame.frame_id, *identity), about | dict(data) | {"links": links})

"""Events: written in the transaction that causes them, one row per event and sink that wants it.

Ids follow from what happened, so whatever is done twice adds nothing. Without sinks nothing is built or written.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from sightline.ids import content_id
from sightline.types import FrameResult
from sightline.wire.events import Event
from sightline.wire.messages import Job, Message
from storage.database.engine import Database, insert_into
from storage.jobs.job_rows import DEAD, STORED
from storage.jobs.rows import clean
from storage.passages.plate_lists import Match
from storage.passages.rows import Placed
from storage.passages.summary import Tally
from storage.passages.views import PassageState, PassageView, to_match, view_passage
from storage.sinks.sinks import Sink, load_sinks, wanted_events
from storage.tables import Deliveries, Passages

#: A sink that was added or changed is heard of within this time.
_SINKS_EVERY_S = 2.0
_MAX_FINAL = 500


class NewEvent(NamedTuple):
    """`identity` makes it this event and no other of its type."""

    type: Event
    source_id: str
    identity: tuple[str, ...]
    data: Mapping[str, Any]


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
        placed: Placed,
        now: datetime,
    ) -> None:
        """`judged`: the messages of this transaction, each with the outcome of its frames. `letters`: the letter_id of
        those that are dead, by frame_id and job_id."""
        sinks = self._current(connection)
        if sinks:
            wanted = wanted_events(sinks)
            events = [*_frame_events(judged, letters, wanted), *_passage_events(placed, wanted)]
            _insert(connection, sinks, events, now)

    def _current(self, connection: sa.Connection) -> list[Sink]:
        clock = time.monotonic()
        if clock - self._read_at >= self._every_s:
            self._sinks = [sink for sink in load_sinks(connection) if sink.collects]
            self._read_at = clock
        return self._sinks


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
            event = NewEvent(Event.PASSAGE_FINAL, view.source_id, (view.passage_id,), _passage_data(view))
            _insert(connection, [sink for sink in sinks if sink.created_at <= row["updated_at"]], [event], now)
        if found:
            connection.execute(marked.where(Passages.passage_id.in_([row["passage_id"] for row in found])))
    return len(found)


def delivery_row(
    sink_id: str, topic: str, identity: Iterable[str], data: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """One event on its way to one sink."""
    return {
        "delivery_id": content_id(sink_id, topic, *identity),
        "sink": sink_id,
        "topic": topic,
        "payload": {"type": topic, "timestamp": now.isoformat(), "data": dict(data)},
        "attempts": 0,
        "created_at": now,
        "next_attempt_at": now,
    }


def _insert(connection: sa.Connection, sinks: Sequence[Sink], events: Iterable[NewEvent], now: datetime) -> None:
    rows: dict[str, dict[str, Any]] = {}
    for event in events:
        for sink in sinks:
            if sink.wants(event.type, event.source_id):
                at = now + timedelta(microseconds=len(rows))
                row = delivery_row(sink.sink_id, event.type.value, event.identity, event.data, at)
                rows.setdefault(row["delivery_id"], row)
    if rows:
        insert = insert_into(connection, Deliveries).on_conflict_do_nothing()
        connection.execute(insert, [row for _, row in sorted(rows.items())])


def _passage_events(placed: Placed, wanted: frozenset[Event]) -> Iterator[NewEvent]:
    if Event.PASSAGE_NEW in wanted:
        for passage_id, tally in sorted(placed.new.items(), key=_first_seen):
            data = _passage_data(_view(passage_id, tally, placed))
            yield NewEvent(Event.PASSAGE_NEW, tally.source_id, (passage_id,), data)
    if Event.PASSAGE_UPDATE in wanted:
        for passage_id, tally in sorted(placed.changed.items(), key=_first_seen):
            merged = sorted(gone for gone, survivor in placed.merged.items() if survivor == passage_id)
            was = placed.known[passage_id], _known_plate(placed.known_matches[passage_id])
            if merged or was != (tally.text, _known_plate(placed.matches[passage_id])):
                data = _passage_data(_view(passage_id, tally, placed)) | {"merged_passage_ids": merged}
                # A sighting is new once: the first one behind a change names it.
                identity = (passage_id, placed.causes[passage_id])
                yield NewEvent(Event.PASSAGE_UPDATE, tally.source_id, identity, data)


def _known_plate(match: Match | None) -> tuple[str, str] | None:
    """Which plate of which list it is; how near it came is no news."""
    return match and (match.list_name, match.plate)


def _first_seen(entry: tuple[str, Tally]) -> tuple[datetime, str]:
    return entry[1].first_seen, entry[0]


def _view(passage_id: str, tally: Tally, placed: Placed) -> PassageView:
    country = placed.countries[passage_id]
    return PassageView(
        passage_id=passage_id,
        source_id=tally.source_id,
        text=tally.text,
        origin=tally.origin,
        confidence=tally.confidence,
        first_seen=tally.first_seen,
        last_seen=tally.last_seen,
        reading_count=tally.reading_count,
        best_frame_id=tally.best.frame_id,
        best_xyxy=tally.best.xyxy,
        direction=tally.direction,
        country=country and country.code,
        country_confidence=country and country.confidence,
        state=PassageState.FINAL if passage_id in placed.final else PassageState.OPEN,
        match=to_match(placed.matches[passage_id]),
    )


def _passage_data(view: PassageView) -> dict[str, Any]:
    frame = f"/v1/frames/{view.best_frame_id}"
    links = {"frame": frame, "picture": f"{frame}/annotated", "crop": f"/v1/passages/{view.passage_id}/crop"}
    return view.model_dump(mode="json") | {"links": links}


def _frame_events(
    judged: Iterable[tuple[Message, dict[str, str]]], letters: Mapping[tuple[str, str], str], wanted: frozenset[Event]
) -> Iterator[NewEvent]:
    if not wanted & {Event.FRAME_STORED, Event.FRAME_DEAD}:
        return
    for message, outcomes in judged:
        for result in message.results:
            outcome = outcomes[result.frame.frame_id]
            if outcome == STORED and not result.error:
                data = json.loads(result.model_dump_json(include={"width", "height", "detections", "readings"}))
                yield _frame_event(Event.FRAME_STORED, message.job, result, (), data)
            elif outcome == DEAD and result.error:
                # A frame may die again when its job is published again: that is news.
                again = (message.job.job_id, repr(message.job.published_at))
                error = {name: clean(text) for name, text in result.error.model_dump().items()}
                letter_id = letters[result.frame.frame_id, message.job.job_id]
                data = error | {"attempt": message.job.attempt, "letter_id": letter_id}
                yield _frame_event(Event.FRAME_DEAD, message.job, result, again, data)


def _frame_event(
    event: Event, job: Job, result: FrameResult, identity: tuple[str, ...], data: Mapping[str, Any]
) -> NewEvent:
    frame = result.frame
    about = frame.model_dump(mode="json") | {"job_id": job.job_id, "pipeline": job.pipeline}
    links = {"frame": f"/v1/frames/{frame.frame_id}"}
    if event is Event.FRAME_STORED:
        links["picture"] = f"/v1/frames/{frame.frame_id}/annotated"
    else:
        links["letter"] = f"/v1/dead-letters/{data['letter_id']}"
    return NewEvent(event, frame.source_id, (frame.frame_id, *identity), about | dict(data) | {"links": links})

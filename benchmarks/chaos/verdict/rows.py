"""What is in the database, as the verdict wants it: whole tables in memory, by frame or by job."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sightline.errors import BadMessageError
from sightline.wire.events import Event
from storage.database.engine import Database
from storage.tables import DeadLetters, Deliveries, Detections, Findings, Frames, Passages, Readings


@dataclass(frozen=True)
class OutboxRow:
    """One event for the receiver. `about`: the frame or passage."""

    event: Event
    about: str
    sent: bool
    last_error: str | None


@dataclass(frozen=True)
class Rows:
    frames: dict[str, str]  #: source by stored frame
    dead: dict[str, tuple[str, str]]  #: source and reason by frame; messages that were no job are left out
    letters: list[str]  #: what those messages were, in JSON
    detections: Counter[str]  #: by frame
    readings: dict[str, list[str]]  #: texts by frame
    found: dict[str, dict[str, list[Any]]]  #: what pipelines with fields of their own found, by frame and field
    pictures: set[str]  #: where the pictures and sounds lie of frames that say they were kept
    passages: set[str]
    wrong_passages: list[str]  #: ids of passages that counted other readings than they have
    outbox: dict[str, OutboxRow]  #: by delivery_id

    @classmethod
    def read(cls, database: Database) -> Rows:
        counted = sa.select(sa.func.count()).where(Readings.passage_id == Passages.passage_id).scalar_subquery()
        with database.read() as connection:

            def select(*columns: Any) -> list[Any]:
                return list(connection.execute(sa.select(*columns)))

            readings: dict[str, list[str]] = {}
            for frame_id, text in select(Readings.frame_id, Readings.normalized):
                readings.setdefault(frame_id, []).append(text)
            found: dict[str, dict[str, list[Any]]] = {}
            of_findings = select(Findings.finding_index, Findings.frame_id, Findings.kind, Findings.payload)
            for _, frame_id, kind, payload in sorted(of_findings, key=lambda row: row[0]):
                found.setdefault(frame_id, {}).setdefault(kind, []).append(payload)
            passages = select(Passages.passage_id, Passages.reading_count, counted)
            return cls(
                frames=dict(select(Frames.frame_id, Frames.source_id)),
                dead={
                    frame_id: (source_id, reason)
                    for frame_id, source_id, reason in select(
                        DeadLetters.frame_id, DeadLetters.source_id, DeadLetters.reason
                    )
                    if reason != BadMessageError.reason
                },
                letters=[
                    json.dumps(result)
                    for result, reason in select(DeadLetters.result, DeadLetters.reason)
                    if reason == BadMessageError.reason
                ],
                detections=Counter(frame_id for (frame_id,) in select(Detections.frame_id)),
                readings=readings,
                found=found,
                pictures={
                    key
                    for frame_id, parts, kept in select(Frames.frame_id, Frames.parts, Frames.picture_kept)
                    if kept
                    for key in ([part["key"] for part in parts if part.get("key")] if parts else [frame_id])
                },
                passages={passage_id for passage_id, _, _ in passages},
                wrong_passages=[passage_id for passage_id, said, are in passages if said != are],
                outbox={
                    delivery_id: OutboxRow(Event(topic), _subject(topic, payload["data"]), sent_at is not None, error)
                    for delivery_id, topic, payload, sent_at, error in select(
                        Deliveries.delivery_id,
                        Deliveries.topic,
                        Deliveries.payload,
                        Deliveries.sent_at,
                        Deliveries.last_error,
                    )
                },
            )


def waiting_events(database: Database) -> int:
    """Events that were not sent yet and were not given up."""
    with database.read() as connection:
        count = sa.select(sa.func.count()).where(Deliveries.next_attempt_at.is_not(None))
        return connection.execute(count).scalar_one()


def open_passages(database: Database) -> int:
    """Passages that nobody made final yet."""
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).where(Passages.final_at.is_(None))).scalar_one()


def _subject(topic: str, data: dict[str, Any]) -> str:
    return data["passage_id" if topic.startswith("passage.") else "frame_id"]

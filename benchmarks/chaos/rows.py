"""What is in the database, as the verdict wants it: whole tables in memory, by frame or by job."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from storage.database import Database


@dataclass(frozen=True)
class Rows:
    frames: dict[str, str]  #: source by stored frame
    dead: dict[str, tuple[str, str]]  #: source and reason by frame; messages that were no job are left out
    finished_at: dict[str, float]  #: epoch seconds, by job
    detections: Counter[str]  #: by frame
    readings: dict[str, list[str]]  #: texts by frame
    pictures: set[str]  #: frames that say their picture was kept
    wrong_passages: list[str]  #: ids of passages that counted other readings than they have

    @classmethod
    def read(cls, database: Database) -> Rows:
        with database.read() as connection:

            def select(statement: str) -> list[Any]:
                return list(connection.execute(sa.text(statement)))

            readings: dict[str, list[str]] = {}
            for frame_id, text in select("SELECT frame_id, normalized FROM readings"):
                readings.setdefault(frame_id, []).append(text)
            return cls(
                frames=dict(select("SELECT frame_id, source_id FROM frames")),
                dead={
                    frame_id: (source_id, reason)
                    for frame_id, source_id, reason in select(
                        "SELECT frame_id, source_id, reason FROM dead_letters WHERE reason <> 'bad_message'"
                    )
                },
                finished_at={job_id: _epoch(text) for job_id, text in select("SELECT job_id, finished_at FROM jobs")},
                detections=Counter(frame_id for (frame_id,) in select("SELECT frame_id FROM detections")),
                readings=readings,
                pictures={frame_id for (frame_id,) in select("SELECT frame_id FROM frames WHERE picture_kept")},
                wrong_passages=[
                    passage_id
                    for (passage_id,) in select(
                        "SELECT passage_id FROM passages p WHERE reading_count <> "
                        "(SELECT count(*) FROM readings r WHERE r.passage_id = p.passage_id)"
                    )
                ],
            )


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

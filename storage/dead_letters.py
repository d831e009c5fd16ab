"""Dead letters that are no job: a message whose shape no worker understands, kept as it came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sightline.ids import content_id
from storage.database import Database, insert_into
from storage.rows import clean
from storage.tables import DeadLetters

#: Source of letters whose message names none.
UNKNOWN_SOURCE: Final = "unknown"


def bury_message(database: Database, letter: Mapping[str, Any]) -> None:
    """Store a refused message: `stage`, `reason`, `message` (in words) and `payload`. The same one is kept once."""
    identity = content_id(json.dumps(letter, sort_keys=True, default=str))
    now = datetime.now(UTC)
    row = {
        "frame_id": identity,
        "job_id": identity,
        "source_id": UNKNOWN_SOURCE,
        "captured_at": now,
        "pipeline": "",
        "lane": "",
        "stage": clean(str(letter.get("stage", ""))),
        "reason": clean(str(letter.get("reason", ""))),
        "message": clean(str(letter.get("message", ""))),
        "attempt": 1,
        "times": 1,
        "died_at": now,
        "result": {"payload": letter.get("payload")},
    }
    with database.write() as connection:
        insert = insert_into(connection, DeadLetters)
        connection.execute(insert.on_conflict_do_nothing(), [row])

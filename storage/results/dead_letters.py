"""Dead letters: frames that gave up, and messages that were no job; found, replayed, discarded.

A letter is identified by the frame and the job in which it died first. Its replays are jobs of their own, but when one
of them dies it is the same letter that died again: `times` counts it, and with it the dead frames in the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from sightline.errors import BadMessageError, SightlineError
from sightline.ids import content_id
from storage.database.engine import Database, insert_into
from storage.jobs.rows import clean, letter_id
from storage.results.views import DeadLetterView, LetterState
from storage.tables import DeadLetters, Frames

#: Source of letters whose message names none.
UNKNOWN_SOURCE: Final = "unknown"

_STORED_SINCE: Final = sa.exists().where(Frames.frame_id == DeadLetters.frame_id)
#: What somebody should look at: not stored since, not discarded.
IS_TROUBLE: Final = sa.and_(DeadLetters.discarded_at.is_(None), ~_STORED_SINCE)


class Replay(NamedTuple):
    """A letter and the job that replays it."""

    letter: DeadLetterView
    job_id: str


class LetterNotFoundError(SightlineError):
    reason = "dead_letter_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no dead letter {name!r}")


def select_letters() -> sa.Select[Any]:
    """Every column of the rows of `view_letter`."""
    return sa.select(DeadLetters.__table__, _STORED_SINCE.label("stored_since"))


def view_letter(row: sa.RowMapping) -> DeadLetterView:
    names = DeadLetterView.model_fields.keys() - {"frame", "payload", "state"}
    known = {name: None if row[name] == "" else row[name] for name in names}
    content = {name: row["result"].get(name) for name in ("frame", "payload")}
    return DeadLetterView.model_validate(known | content | {"state": _state(row)})


def get_letters(database: Database, letter_ids: Sequence[str]) -> list[DeadLetterView]:
    """The letters with these ids, in their order. Raises LetterNotFoundError if one is not there."""
    with database.read() as connection:
        rows = connection.execute(select_letters().where(DeadLetters.letter_id.in_(letter_ids))).mappings()
        found = {row["letter_id"]: view_letter(row) for row in rows}
    for name in letter_ids:
        if name not in found:
            raise LetterNotFoundError(name)
    return [found[name] for name in dict.fromkeys(letter_ids)]


def count_troubles(database: Database) -> int:
    """How many letters are neither stored since nor discarded."""
    return sum(troubles_by_reason(database).values())


def troubles_by_reason(database: Database) -> dict[str, int]:
    """The same, by reason."""
    rows = sa.select(DeadLetters.reason, sa.func.count()).where(IS_TROUBLE).group_by(DeadLetters.reason)
    with database.read() as connection:
        return dict(connection.execute(rows).all())


def begin_replays(database: Database, replays: Sequence[Replay]) -> None:
    """Note which job replays which letter. Before it is published: when it dies, the writer looks here."""
    statement = sa.update(DeadLetters).where(*_same_letter()).values(replay_job_id=sa.bindparam("replayed_by"))
    _execute(database, statement, [_key(each.letter) | {"replayed_by": each.job_id} for each in replays])


def mark_replayed(database: Database, replays: Sequence[Replay]) -> None:
    """Note that these jobs are published. A letter that has died again meanwhile stays as its death left it."""
    died_no_more = DeadLetters.times == sa.bindparam("died_times")
    changes = {"replayed_at": datetime.now(UTC), "discarded_at": None}
    statement = sa.update(DeadLetters).where(*_same_letter(), died_no_more).values(changes)
    _execute(database, statement, [_key(each.letter) | {"died_times": each.letter.times} for each in replays])


def discard_letters(database: Database, letter_ids: Collection[str]) -> int:
    """Mark them as discarded; the rows stay. Returns how many were not before."""
    wanted = sa.and_(DeadLetters.letter_id.in_(letter_ids), DeadLetters.discarded_at.is_(None))
    with database.write() as connection:
        return connection.execute(sa.update(DeadLetters).where(wanted).values(discarded_at=datetime.now(UTC))).rowcount


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
        "reason": clean(str(letter.get("reason", BadMessageError.reason))),
        "message": clean(str(letter.get("message", ""))),
        "attempt": 1,
        "times": 1,
        "died_at": now,
        "result": {"payload": letter.get("payload")},
        "letter_id": letter_id(identity, identity),
        "picture_kept": False,
    }
    with database.write() as connection:
        insert = insert_into(connection, DeadLetters)
        connection.execute(insert.on_conflict_do_nothing(), [row])


def _state(row: sa.RowMapping) -> LetterState:
    if row["stored_since"]:
        return LetterState.STORED
    if row["discarded_at"] is not None:
        return LetterState.DISCARDED
    return LetterState.OPEN if row["replayed_at"] is None else LetterState.REPLAYED


def _same_letter() -> tuple[sa.ColumnElement[bool], ...]:
    return (DeadLetters.frame_id == sa.bindparam("of_frame"), DeadLetters.job_id == sa.bindparam("of_job"))


def _key(letter: DeadLetterView) -> dict[str, Any]:
    assert letter.frame is not None  # a message that was no job is never replayed
    return {"of_frame": letter.frame.frame_id, "of_job": letter.job_id}


def _execute(database: Database, statement: sa.Update, changes: list[dict[str, Any]]) -> None:
    """In the order in which the writer takes the rows, so that neither waits for the other in a circle."""
    if changes:
        with database.write() as connection:
            connection.execute(statement, sorted(changes, key=lambda change: (change["of_frame"], change["of_job"])))

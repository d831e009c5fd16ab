"""Somebody says what plate a passage has, or takes that back. What was read stays beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from sightline.errors import BadMessageError, SightlineError
from sightline.plate_countries import likely_country, parse_countries
from sightline.wire.events import Event
from storage.database.acting import tell
from storage.database.engine import Database
from storage.items.changes import NewEvent
from storage.passages.changes import passage_data
from storage.passages.permuterm import add_rotations
from storage.passages.plate_lists import ListReader
from storage.passages.rows import lock_sources
from storage.passages.views import PassageView, match_columns, view_passage
from storage.plates.corrections import Correction, correction_columns
from storage.plates.text import MAX_PLATE_CHARS, spell_plate
from storage.sinks.outbox import tell_sinks
from storage.tables import Passages

_MIN_CHARS = 2  #: as lists of known plates take them: chosen plates are short


class PassageNotFoundError(SightlineError):
    reason = "passage_not_found"

    def __init__(self, passage_id: str) -> None:
        super().__init__(
            f"there is no passage {passage_id!r} (any more: passages that turn out to be one are merged); search for "
            "its plate"
        )


def correct_passage(
    database: Database, passage_id: str, plate: str | None, by: str, *, countries: str = ""
) -> PassageView:
    """The passage with the plate that `by` says it has, in any spelling; None takes a correction back.

    Its country and the list it is on are those of that plate, and sinks are told `passage.update`. Readings that come
    later change what was read, and not what was said. `countries`: whose plates are seen, as the setting has it.

    Raises:
        PassageNotFoundError
        BadMessageError: that is no plate.
    """
    text = None if plate is None else _spelled(plate)
    with database.write() as connection:
        lock_sources(connection, [_load(connection, passage_id)["source_id"]])
        row = _load(connection, passage_id)  # again: a writer may have been at it
        before, now = view_passage(row), datetime.now(UTC)
        tell(read=row["text"], was=before.text, plate=text)
        changed = _changed(connection, row, text, by, countries, now)
        connection.execute(sa.update(Passages).where(Passages.passage_id == passage_id).values(changed))
        view = view_passage({**row, **changed})
        if (view.text, view.correction is None) != (before.text, before.correction is None):
            data = passage_data(view) | {"merged_passage_ids": []}
            event = NewEvent(Event.PASSAGE_UPDATE, view.source_id, (passage_id, "corrected", now.isoformat()), data)
            tell_sinks(connection, [event], now)
    return view


def _load(connection: sa.Connection, passage_id: str) -> sa.RowMapping:
    rows = connection.execute(sa.select(Passages.__table__).where(Passages.passage_id == passage_id))
    row = rows.mappings().first()
    if row is None:
        raise PassageNotFoundError(passage_id)
    return row


def _changed(
    connection: sa.Connection, row: sa.RowMapping, text: str | None, by: str, countries: str, now: datetime
) -> dict[str, Any]:
    lists = ListReader().read(connection)
    correction = None if text is None else Correction(text, by, now)
    if correction is not None:
        add_rotations(connection, [correction.text])
    country = likely_country(text or row["text"], parse_countries(countries))
    return correction_columns(correction) | {
        **match_columns(lists.match_passage(row["text"], row["votes"], correction)),
        "country": country and country.code,
        "country_confidence": country and country.confidence,
    }


def _spelled(plate: str) -> str:
    text = spell_plate(plate, "text")
    if not _MIN_CHARS <= len(text) <= MAX_PLATE_CHARS:
        raise BadMessageError(
            f"text: {plate[:40]!r} has {len(text)} of A-Z and 0-9, a plate has {_MIN_CHARS} to {MAX_PLATE_CHARS}",
            field="text",
        )
    return text

"""Rows of `plates`: readings that look like plates become part of passages, in the transaction that stores them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from sightline.plate_countries import Countries, parse_countries
from sightline.settings import Settings
from sightline.types import Detection, FrameResult, Reading
from storage.database.bulk import insert_rows
from storage.items.changes import Changes
from storage.items.pictures import load_found, pictures_of, reading_rows, write_detections
from storage.items.writers import StoredItem, Write
from storage.passages.association import Rules
from storage.passages.plate_lists import ListReader
from storage.passages.rows import lock_sources, place_sightings
from storage.plates.sightings import Sighting, make_sighting
from storage.plates.text import read_plate
from storage.tables import Readings
from storage.tables.times import to_utc

__all__ = ["PlateRows", "load_found", "open_rows", "sightings"]


def open_rows(settings: Settings) -> PlateRows:
    countries = parse_countries(settings.plate_countries)
    return PlateRows(settings.passage_gap_s, parked_gap_s=settings.parked_gap_s, countries=countries)


class PlateRows:
    """Detections, readings and passages.

    Without `parked_gap_s` a vehicle that stands still is treated as any other. `countries`: whose plates are seen, with
    none of them all. Raises SettingsError if one is not known.
    """

    def __init__(
        self,
        passage_gap_s: float,
        *,
        parked_gap_s: float = 0.0,
        lists: ListReader | None = None,
        countries: tuple[str, ...] = (),
    ) -> None:
        Countries(countries)  # refuses unknown ones now, not with the first plate
        self._rules = Rules(timedelta(seconds=passage_gap_s), timedelta(seconds=parked_gap_s), countries)
        self._lists = lists or ListReader()

    def begin(self, connection: sa.Connection, items: Sequence[StoredItem]) -> Write:
        seen: dict[str, list[Sighting]] = {}
        for item, result in pictures_of(items):  # of an item that is there twice the first is stored
            if item.key not in seen:
                seen[item.key] = sightings(result)
        lock_sources(connection, {one.source_id for its in seen.values() for one in its})

        def write(connection: sa.Connection, new: Sequence[StoredItem], now: datetime) -> Changes:
            write_detections(connection, new)
            its = [one for item in new for one in seen[item.key]]
            changes = place_sightings(connection, its, self._rules, self._lists.read(connection), now)
            spots = {one.key: one.spot for one in its}
            read = [row for _, one in pictures_of(new) for row in reading_rows(one, changes.passage_ids, spots)]
            insert_rows(connection, Readings, read)
            return changes

        return write


def sightings(result: FrameResult) -> list[Sighting]:
    """The plate-like readings of a frame."""
    found: list[Sighting] = []
    for index, reading in enumerate(result.readings):
        box = _box_of(reading, result)
        label = box.label if box else ""
        plate = read_plate(reading.text, reading.confidence, reading.char_confidences, label=label)
        if plate is not None:
            found.append(
                make_sighting(
                    plate,
                    source_id=result.frame.source_id,
                    seen_at=to_utc(result.frame.captured_at),
                    frame_id=result.frame.frame_id,
                    reading_index=index,
                    confidence=reading.confidence,
                    xyxy=box.xyxy if box else None,
                    size=(result.width, result.height),
                    sharpness=reading.sharpness,
                    sequence=result.frame.sequence,
                    zone=reading.zone,
                )
            )
    return found


def _box_of(reading: Reading, result: FrameResult) -> Detection | None:
    index = reading.detection_index
    return result.detections[index] if index is not None and 0 <= index < len(result.detections) else None

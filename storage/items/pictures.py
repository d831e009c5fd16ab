"""Rows of pictures: what was detected and read on them, and as findings whatever more a result of a package has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sightline.settings import Settings
from sightline.types import Detection, FrameResult, ItemResult, Reading
from storage.database.bulk import Row, insert_rows
from storage.items import findings
from storage.items.changes import Changes, NoChanges
from storage.items.columns import clean, of_item, of_stage
from storage.items.writers import StoredItem, Write
from storage.plates.text import normalize
from storage.tables import Detections, Readings


def open_rows(_settings: Settings) -> PictureRows:
    return PictureRows()


class PictureRows:
    """Detections and readings."""

    def begin(self, connection: sa.Connection, items: Sequence[StoredItem]) -> Write:  # noqa: ARG002
        return _write


def _write(connection: sa.Connection, items: Sequence[StoredItem], now: datetime) -> Changes:  # noqa: ARG001
    results = [result for _, result in pictures_of(items)]
    write_detections(connection, items)
    insert_rows(connection, Readings, [row for result in results for row in reading_rows(result, {}, {})])
    return NoChanges()


def pictures_of(items: Iterable[StoredItem]) -> list[tuple[StoredItem, FrameResult]]:
    """Each with its result. All that comes here is of a picture."""
    return [(item, item.result) for item in items if isinstance(item.result, FrameResult)]


def write_detections(connection: sa.Connection, items: Sequence[StoredItem]) -> None:
    """Everything but the readings, which may depend on what else is stored."""
    found = [row for _, result in pictures_of(items) for row in _detection_rows(result)]
    insert_rows(connection, Detections, found)
    findings.write_findings(connection, items, FrameResult)


def reading_rows(result: FrameResult, passage_ids: Mapping[str, str], spots: Mapping[str, int | None]) -> list[Row]:
    """`passage_ids` and `spots` by the key of the sighting; readings that are no sighting have none."""
    if not result.readings:
        return []
    common = of_item(result) | {"sequence": result.frame.sequence} | of_stage(result, "ocr")
    found: list[Row] = []
    for index, reading in enumerate(result.readings):
        key = f"{result.frame.frame_id}.{index}"
        placed = {"passage_id": passage_ids.get(key), "spot": spots.get(key)}
        found.append(common | _reading_row(index, reading) | placed)
    return found


def load_found(
    connection: sa.Connection, items: Sequence[sa.RowMapping], result: type[ItemResult]
) -> dict[str, dict[str, Any]]:
    """Sizes, detections and readings, by frame_id."""
    found = findings.load_found(connection, items, result, FrameResult)
    detections = _by_frame(connection, Detections.__table__, Detections.detection_index, found)
    readings = _by_frame(connection, Readings.__table__, Readings.reading_index, found)
    for item in items:
        frame_id = item["frame_id"]
        found[frame_id] |= {
            "width": item["width"],
            "height": item["height"],
            "outside": item["outside"] or 0,
            "detections": tuple(_detection(row) for row in detections[frame_id]),
            "readings": tuple(_reading(row) for row in readings[frame_id]),
        }
    return found


def _detection_rows(result: FrameResult) -> list[Row]:
    if not result.detections:
        return []
    common = of_item(result) | of_stage(result, "detect")
    return [common | _detection_row(index, detection) for index, detection in enumerate(result.detections)]


def _detection_row(index: int, detection: Detection) -> Row:
    x1, y1, x2, y2 = detection.xyxy
    return {
        "detection_index": index,
        "label": clean(detection.label),
        "class_id": detection.class_id,
        "confidence": detection.confidence,
        "x1": x1,
        "y1": y1,
        "x2": x2,
        "y2": y2,
        "corners": detection.corners,
        "track_id": detection.track_id,
        "zone": detection.zone,
    }


def _reading_row(index: int, reading: Reading) -> Row:
    return {
        "reading_index": index,
        "text": clean(reading.text),
        "normalized": normalize(reading.text),
        "confidence": reading.confidence,
        "char_confidences": reading.char_confidences,
        "alternatives": reading.alternatives or None,
        "country": reading.country and clean(reading.country),
        "country_confidence": reading.country_confidence,
        "detection_index": reading.detection_index,
        "sharpness": reading.sharpness,
        "zone": reading.zone,
        "unread": reading.unread,
    }


def _by_frame(
    connection: sa.Connection, table: sa.FromClause, order: Any, frame_ids: Iterable[str]
) -> defaultdict[str, list[sa.RowMapping]]:
    rows = connection.execute(sa.select(table).where(table.c.frame_id.in_(frame_ids)).order_by(order)).mappings()
    found: defaultdict[str, list[sa.RowMapping]] = defaultdict(list)
    for row in rows:
        found[row["frame_id"]].append(row)
    return found


def _detection(row: sa.RowMapping) -> Detection:
    return Detection(
        xyxy=(row["x1"], row["y1"], row["x2"], row["y2"]),
        label=row["label"],
        class_id=row["class_id"],
        confidence=row["confidence"],
        corners=row["corners"],
        track_id=row["track_id"],
        zone=row["zone"],
    )


def _reading(row: sa.RowMapping) -> Reading:
    return Reading(
        text=row["text"],
        confidence=row["confidence"],
        char_confidences=row["char_confidences"],
        detection_index=row["detection_index"],
        sharpness=row["sharpness"],
        alternatives=row["alternatives"] or (),
        country=row["country"],
        country_confidence=row["country_confidence"],
        zone=row["zone"],
        unread=row["unread"],
    )

"""What the database knows around new sightings: passages, and known sightings with their passages."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from storage.plates.sightings import Sighting, make_sighting
from storage.plates.text import Plate, plate_chars, weights_of
from storage.tables import Detections, Frames, Passages, Readings

Owned = tuple[Sighting, str | None]  #: a known sighting and its passage, if it has one


def load_passages(connection: sa.Connection, passage_ids: Collection[str]) -> dict[str, sa.RowMapping]:
    if not passage_ids:
        return {}
    rows = connection.execute(_PASSAGES, {"passage_ids": sorted(passage_ids)}).mappings()
    return {row["passage_id"]: row for row in rows}


def load_sightings(
    connection: sa.Connection, *conditions: sa.ColumnElement[bool], limit: int | None = None
) -> list[Owned]:
    """Known sightings with their passages, in the order of time."""
    rows = _SIGHTINGS.where(_IS_SIGHTING, *conditions)
    rows = rows.order_by(Readings.captured_at, Readings.frame_id, Readings.reading_index).limit(limit)
    return [(_sighting(row), row["passage_id"]) for row in connection.execute(rows).mappings()]


def photo_passages(
    connection: sa.Connection, source_ids: Iterable[str], folded: Iterable[str], since: datetime, until: datetime
) -> list[sa.RowMapping]:
    """Passages of pictures that are no sequence, which have one of these plates and were seen within these times."""
    given = {"source_ids": sorted(source_ids), "folded": sorted(folded), "since": since, "until": until}
    return list(connection.execute(_PHOTOS, given).mappings())


def last_seen(
    connection: sa.Connection, source_ids: Iterable[str], since: datetime, until: datetime
) -> list[tuple[str, str, str, datetime]]:
    """Source, sequence and passage of what was seen within these times, and when last; "" where it has no passage."""
    given = {"source_ids": sorted(source_ids), "since": since, "until": until}
    rows = connection.execute(_SEEN, given)
    return [(source_id, sequence or "", passage_id or "", at) for source_id, sequence, passage_id, at in rows]


def are_read_after(connection: sa.Connection, passage_ids: Collection[str], until: datetime) -> bool:
    """Whether one of these passages has readings after a time."""
    later = sa.select(Readings.frame_id).where(Readings.passage_id.in_(passage_ids), Readings.captured_at > until)
    return connection.execute(later.limit(1)).first() is not None


def were_together(connection: sa.Connection, one: str, other: str, until: datetime) -> bool:
    """Whether two passages have readings in one picture before `until`."""
    given = {"one": one, "other": other, "until": until}
    return connection.execute(_MET, given).first() is not None


def last_places(
    connection: sa.Connection, passage_id: str, since: datetime, until: datetime, limit: int
) -> list[tuple[datetime, int]]:
    """When and where a passage was read, from `since` on and before `until`, the last first."""
    rows = sa.select(Readings.captured_at, Readings.spot).where(
        Readings.passage_id == passage_id, Readings.captured_at >= since, Readings.captured_at < until
    )
    found = connection.execute(rows.order_by(Readings.captured_at.desc()).limit(limit))
    return [(at, spot) for at, spot in found if spot is not None]


def _sighting(row: sa.RowMapping) -> Sighting:
    plate = Plate(plate_chars(row["text"]), weights_of(row["text"], row["confidence"], row["char_confidences"]))
    return make_sighting(
        plate,
        source_id=row["source_id"],
        seen_at=row["captured_at"],
        frame_id=row["frame_id"],
        reading_index=row["reading_index"],
        confidence=row["confidence"],
        xyxy=None if row["x1"] is None else (row["x1"], row["y1"], row["x2"], row["y2"]),
        size=(row["width"], row["height"]),
        sharpness=row["sharpness"],
        sequence=row["sequence"],
        zone=row["zone"],
    )


#: Of what looks like no plate, the place is not kept.
_IS_SIGHTING: Final = sa.or_(Readings.passage_id.is_not(None), Readings.spot.is_not(None))
_READ: Final = sa.select(
    Readings.source_id,
    Readings.captured_at,
    Readings.frame_id,
    Readings.reading_index,
    Readings.text,
    Readings.confidence,
    Readings.char_confidences,
    Readings.sharpness,
    Readings.sequence,
    Readings.zone,
    Readings.passage_id,
    Detections.x1,
    Detections.y1,
    Detections.x2,
    Detections.y2,
    Frames.width,
    Frames.height,
)
_SIGHTINGS: Final = _READ.join(Frames, Frames.frame_id == Readings.frame_id).outerjoin(
    Detections,
    sa.and_(Detections.frame_id == Readings.frame_id, Detections.detection_index == Readings.detection_index),
)
_PASSAGES: Final = sa.select(Passages.__table__).where(
    Passages.passage_id.in_(sa.bindparam("passage_ids", expanding=True))
)
_PHOTOS: Final = sa.select(Passages.__table__).where(
    Passages.source_id.in_(sa.bindparam("source_ids", expanding=True)),
    Passages.folded.in_(sa.bindparam("folded", expanding=True)),
    Passages.first_seen <= sa.bindparam("until"),
    Passages.last_seen >= sa.bindparam("since"),
    Passages.sequence.is_(None),
)
_SEEN: Final = (
    sa.select(Readings.source_id, Readings.sequence, Readings.passage_id, sa.func.max(Readings.captured_at))
    .where(
        Readings.source_id.in_(sa.bindparam("source_ids", expanding=True)),
        Readings.captured_at.between(sa.bindparam("since"), sa.bindparam("until")),
        Readings.sequence.is_not(None),
        _IS_SIGHTING,
    )
    .group_by(Readings.source_id, Readings.sequence, Readings.passage_id)
)
_OTHER: Final = aliased(Readings)
_MET: Final = (
    sa.select(Readings.frame_id)
    .join(_OTHER, sa.and_(_OTHER.frame_id == Readings.frame_id, _OTHER.passage_id == sa.bindparam("other")))
    .where(
        Readings.passage_id == sa.bindparam("one"),
        Readings.captured_at < sa.bindparam("until"),
    )
    .limit(1)
)

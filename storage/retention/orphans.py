"""What is left when rows are gone: passages without readings, plates in the index of the search, pictures of no row.

Each is found by going through all there is, page by page; so this is done once a day and not every hour.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

import sqlalchemy as sa

from sightline.blobs.store import FrameStore
from storage.database.engine import Database
from storage.jobs.accepted import spare_keys
from storage.passages.permuterm import SEAM, rotations
from storage.passages.rows import lock_sources
from storage.retention.expired_rows import MAX_ROWS, remove_empty, removing
from storage.tables import DeadLetters, Frames, Passages, PlateRotations, Readings

_PAGE: Final = 2000
#: Each has about eight rotations.
_PLATES_AT_ONCE: Final = MAX_ROWS // 8


def empty_passages(database: Database, before: datetime) -> Iterator[list[str]]:
    """Final passages seen first before a time that have no reading any more, page by page."""
    is_read = sa.exists().where(Readings.passage_id == Passages.passage_id)
    keys = (Passages.first_seen, Passages.passage_id)
    rows = sa.select(*keys, is_read.label("is_read"), Passages.final_at).where(Passages.first_seen < before)
    page = rows.order_by(*keys).limit(_PAGE)
    while True:
        with database.read() as connection:
            found = connection.execute(page).all()
        if not found:
            return
        yield [row.passage_id for row in found if not row.is_read and row.final_at is not None]
        last = [sa.literal(found[-1].first_seen, Passages.first_seen.type), sa.literal(found[-1].passage_id)]
        page = rows.where(sa.tuple_(*keys) > sa.tuple_(*last)).order_by(*keys).limit(_PAGE)


def remove_passages(database: Database, passage_ids: Sequence[str]) -> int:
    """Delete those that still have no reading when nobody else can change them."""
    if not passage_ids:
        return 0
    with removing(database) as connection:
        sources = sa.select(Passages.source_id).where(Passages.passage_id.in_(passage_ids)).distinct()
        lock_sources(connection, connection.scalars(sources).all())
        return remove_empty(connection, passage_ids)


def forgotten_plates(database: Database) -> Iterator[list[str]]:
    """Folded plates that the search knows and no passage has any more."""
    rows = sa.select(PlateRotations.rotation, PlateRotations.folded).order_by(PlateRotations.rotation).limit(_PAGE)
    last = ""
    while True:
        with database.read() as connection:
            found = connection.execute(rows.where(PlateRotations.rotation > last)).all()
            if not found:
                return
            plates = [folded for rotation, folded in found if rotation == folded + SEAM]
            yield sorted(_without_passage(connection, plates))
        last = found[-1].rotation


def remove_plates(database: Database, plates: Sequence[str]) -> int:
    """Returns how many plates went. While it looks, no writer may bring one of them back."""
    removed = 0
    for start in range(0, len(plates), _PLATES_AT_ONCE):
        with removing(database) as connection:
            removed += forget_plates(connection, plates[start : start + _PLATES_AT_ONCE])
    return removed


def forget_plates(connection: sa.Connection, plates: Collection[str]) -> int:
    """Those of these folded plates that no passage has, within a transaction."""
    if not plates:
        return 0
    if connection.dialect.name == "postgresql":
        # A writer that finds the rotations there leaves them be, and its passage is not committed yet.
        connection.exec_driver_sql("LOCK TABLE plate_rotations IN SHARE ROW EXCLUSIVE MODE")
    gone = _without_passage(connection, plates)
    entries = [rotation for plate in sorted(gone) for rotation in rotations(plate)]
    connection.execute(sa.delete(PlateRotations).where(PlateRotations.rotation.in_(entries)))
    return len(gone)


def orphaned_pictures(database: Database, store: FrameStore, before: datetime) -> Iterator[list[str]]:
    """Keys of pictures that were put before a time and that no row refers to."""
    keys = store.keys_before(before.timestamp())
    spares: set[str] | None = None
    while some := list(islice(keys, MAX_ROWS)):
        orphans = unreferenced(database, some)
        if orphans and spares is None:
            spares = spare_keys(database)
        yield [key for key in orphans if key not in (spares or ())]


def free_pictures(database: Database, store: FrameStore, keys: Sequence[str]) -> int:
    """Delete the pictures that no row refers to. Returns how many."""
    gone = unreferenced(database, keys)
    store.delete_many(gone)
    return len(gone)


def unreferenced(database: Database, keys: Sequence[str]) -> list[str]:
    """Those of items that no row has kept. The key of a part begins with the id of its item."""
    if not keys:
        return []
    frame_ids = {key.partition(".")[0] for key in keys}
    with database.read() as connection:
        kept: set[str] = set()
        for table in (Frames, DeadLetters):
            kept |= set(connection.scalars(sa.select(table.frame_id).where(_is_kept(table, frame_ids))))
    return [key for key in keys if key.partition(".")[0] not in kept]


def _is_kept(table: type[Frames] | type[DeadLetters], frame_ids: Iterable[str]) -> sa.ColumnElement[bool]:
    return sa.and_(table.frame_id.in_(list(frame_ids)), table.picture_kept)


def _without_passage(connection: sa.Connection, plates: Collection[str]) -> set[str]:
    if not plates:
        return set()
    columns = (Passages.folded, Passages.corrected_folded)
    found = sa.union(*(sa.select(column).where(column.in_(plates)) for column in columns))
    return set(plates) - set(connection.scalars(found))

"""Plates by what is known of them: wildcards, and plates that are like another, the likeliest first.

Both ask the index of rotations first (`permuterm.py`): a wildcard pattern for the longest part that is known, a
similar plate for parts of it. Of a plate with n errors that is cut into n + 1 parts one part is as it should be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import islice, pairwise
from typing import Any, Final

import sqlalchemy as sa

from sightline.errors import BadMessageError
from storage.database.engine import Database
from storage.database.paging import MAX_LIMIT, Page, between
from storage.passages.permuterm import SEAM
from storage.passages.views import FoundPassageView, is_in_zone, view_found
from storage.plates.text import edits, fold, most_errors, plate_chars, plate_distance
from storage.tables import Passages, PlateRotations

MAX_DISTANCE: Final = 2.0
WILDCARDS: Final = "*?"
#: From so many plates on a pattern fits nearly everything: then it is faster to look through the newest passages.
_MANY: Final = 3000
#: Fewer known characters than this fit nearly everything, too.
_MIN_KNOWN: Final = 2
_AFTER: Final = "\x7f"  #: behind all characters of rotations


def find_passages(
    database: Database,
    text: str,
    *,
    max_distance: float = 1.0,
    limit: int = 100,
    source: str | None = None,
    zone: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[FoundPassageView]:
    """Passages whose plate is at most `max_distance` away from `text`, the nearest first, of equals the newest.

    See `plate_distance` and `most_errors`. There are no further pages: ask for more at once, or for less time.

    Raises:
        BadMessageError: `limit` or `max_distance` is out of range, or nothing is left of `text`.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadMessageError(f"limit: {limit} is not in 1..{MAX_LIMIT}", field="limit")
    if not 0 <= max_distance <= MAX_DISTANCE:
        raise BadMessageError(f"max_distance: {max_distance:g} is not in 0..{MAX_DISTANCE:g}", field="max_distance")
    wanted = plate_chars(text)
    if not wanted or any(char in WILDCARDS for char in text):
        raise BadMessageError(
            f"text: {text[:40]!r} must be a plate without wildcards to find others like it", field="text"
        )
    found: list[FoundPassageView] = []
    with database.read() as connection:
        folded = _similar_plates(connection, fold(wanted), most_errors(max_distance))
        similar = sa.or_(Passages.folded.in_(folded), Passages.corrected_folded.in_(folded))

        def chosen(select: sa.Select[Any], which: sa.ColumnElement[bool]) -> sa.Select[Any]:
            rows = between(select.where(which), Passages.first_seen, since, until)
            rows = rows if source is None else rows.where(Passages.source_id == source)
            return rows if zone is None else rows.where(is_in_zone(zone))

        both: Any = sa.select(Passages.text, Passages.corrected).distinct()
        plates = connection.execute(chosen(both, similar)).all()
        texts = {text for row in plates for text in row if text is not None}
        for distance, near in sorted(_by_distance(wanted, texts).items()):
            if distance > max_distance or len(found) == limit:
                break
            had = {view.passage_id for view in found}  # by the other one of what was read and what it was corrected to
            rows = chosen(sa.select(Passages.__table__), sa.or_(Passages.text.in_(near), is_corrected_to(near)))
            rows = rows.order_by(Passages.first_seen.desc()).limit(limit)
            nearest = (row for row in connection.execute(rows).mappings() if row["passage_id"] not in had)
            found += [view_found(row, distance) for row in islice(nearest, limit - len(found))]
    return Page(items=tuple(found))


def matches_pattern(database: Database, pattern: str) -> sa.ColumnElement[bool] | None:
    """The condition that finds what a pattern with wildcards fits; None if looking through the newest is faster."""
    ring = [*_tokens(pattern), SEAM]
    if sum(token not in WILDCARDS for token in ring) - 1 < _MIN_KNOWN:
        return None
    known, rest = _turned(ring)
    like = known + "".join({"*": "%", "?": "_"}.get(token, token) for token in rest)
    fits = sa.and_(_begins_with(known), PlateRotations.rotation.like(like))
    candidates = sa.select(PlateRotations.folded).where(fits)
    with database.read() as connection:
        count = sa.select(sa.func.count()).select_from(candidates.limit(_MANY + 1).subquery())
        if (connection.scalar(count) or 0) > _MANY:
            return None
    columns = (Passages.folded, Passages.corrected_folded)
    # Not by OR: of two subqueries PostgreSQL would look into neither index.
    return Passages.passage_id.in_(
        sa.union_all(*(sa.select(Passages.passage_id).where(column.in_(candidates)) for column in columns))
    )


def is_corrected_to(plates: Collection[str]) -> sa.ColumnElement[bool]:
    """The condition that somebody corrected a passage to one of these plates."""
    folded = {fold(plate) for plate in plates}
    return sa.and_(Passages.corrected_folded.in_(folded), Passages.corrected.in_(plates))


def _tokens(pattern: str) -> list[str]:
    """Folded characters and wildcards; several `*` in a row are one."""
    tokens: list[str] = []
    for char in pattern:
        if char in WILDCARDS:
            if not (char == "*" and tokens[-1:] == ["*"]):
                tokens.append(char)
        else:
            tokens += fold(plate_chars(char))
    return tokens


def _turned(ring: list[str]) -> tuple[str, list[str]]:
    """The ring turned so that its longest known part comes first; what follows it."""
    best = ("", ring)
    for start in range(len(ring)):
        turned = ring[start:] + ring[:start]
        length = next((index for index, token in enumerate(turned) if token in WILDCARDS), len(turned))
        if length > len(best[0]):
            best = ("".join(turned[:length]), turned[length:])
    return best


def _by_distance(wanted: str, texts: Iterable[str]) -> dict[float, list[str]]:
    found: dict[float, list[str]] = defaultdict(list)
    for text in texts:
        found[plate_distance(wanted, text)].append(text)
    return found


def _similar_plates(connection: sa.Connection, folded: str, errors: int) -> list[str]:
    """Folded plates with at most so many errors."""
    if errors == 0:
        return [folded]
    parts = [
        _with_part(connection, folded, start, length, errors) for start, length in _parts(len(folded) + 1, errors + 1)
    ]
    return [plate for plate in connection.execute(sa.union(*parts)).scalars() if edits(folded, plate, errors) <= errors]


def _parts(ring: int, count: int) -> list[tuple[int, int]]:
    """Start and length of parts of a ring. The last one lies across its seam, where a place is known best."""
    edges = [round(index * ring / count) - 1 for index in range(count + 1)]
    return [(start % ring, end - start) for start, end in pairwise(edges)]


def _with_part(connection: sa.Connection, folded: str, start: int, length: int, errors: int) -> sa.Select[str]:
    """Plates of about the same length that have this part at about this place."""
    ring = folded + SEAM
    part = (ring[start:] + ring[:start])[:length]
    seam = ring.index(SEAM) - start if start < len(ring) else 0
    position = sa.func.instr if connection.dialect.name == "sqlite" else sa.func.strpos
    return sa.select(PlateRotations.folded).where(
        _begins_with(part),
        sa.func.length(PlateRotations.folded).between(len(folded) - errors, len(folded) + errors),
        position(PlateRotations.rotation, SEAM).between(seam + 1 - errors, seam + 1 + errors),
    )


def _begins_with(known: str) -> sa.ColumnElement[bool]:
    return sa.and_(PlateRotations.rotation >= known, PlateRotations.rotation < known + _AFTER)

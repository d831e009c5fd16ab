"""The index of the search: all rotations of every folded plate, as `permuterm` indexes have them.

The plate AB12 is entered as `A812|`, `812|A`, `12|A8`, `2|A81`, `|A812`. Whatever part of a plate is known, its
beginning, end or middle, is then the beginning of a rotation, which any ordered index finds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa

from storage.database.bulk import insert_rows
from storage.plates.text import fold
from storage.tables import PlateRotations

#: Between end and beginning; behind all letters and digits.
SEAM: Final = "|"


def rotations(folded: str) -> list[str]:
    ring = folded + SEAM
    return [ring[start:] + ring[:start] for start in range(len(ring))]


def add_rotations(connection: sa.Connection, texts: Iterable[str]) -> None:
    """Let the search find these plates."""
    rows = {rotation: text for text in {fold(text) for text in texts} for rotation in rotations(text)}
    if rows:
        # Sorted, lest two writers wait for each other.
        new = [{"rotation": rotation, "folded": text} for rotation, text in sorted(rows.items())]
        insert_rows(connection, PlateRotations, new, if_new=True)

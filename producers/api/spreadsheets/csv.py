"""Rows as CSV, in pieces."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from producers.api.spreadsheets.passages import Cell
from storage.passages.plate_lists import harmless

MEDIA_TYPE: Final = "text/csv"
_ROWS_A_PIECE: Final = 500


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """The heading, then the rows. What a spreadsheet would take for a formula gets an apostrophe in front."""
    yield _lines([columns])
    rows = iter(rows)
    while some := [[_plain(cell) for cell in row] for row in islice(rows, _ROWS_A_PIECE)]:
        yield _lines(some)


def _lines(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _plain(cell: Cell) -> object:
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat(timespec="milliseconds")
    return harmless(cell) if isinstance(cell, str) else cell

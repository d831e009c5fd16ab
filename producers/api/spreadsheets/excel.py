"""Rows as an Excel workbook, in a file that nobody else sees."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import IO, Any, Final

import xlsxwriter

from producers.api.spreadsheets.passages import Cell
from sightline.errors import BadMessageError

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: A sheet has no more, with its heading.
MAX_ROWS: Final = 1_048_575
_CHUNK_BYTES: Final = 1 << 16
_WIDTH: Final = 18


def write_excel(columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, max_rows: int = MAX_ROWS) -> IO[bytes]:
    """The workbook, to be read from its begin. Rows go to disk as they come; texts are texts, whatever they look like.

    Raises:
        BadMessageError: there are more rows than a sheet has.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever gets it closes it
    try:
        _write(file, columns, rows, max_rows)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """What is in the file, which is then closed."""
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _write(file: IO[bytes], columns: Sequence[str], rows: Iterable[Sequence[Cell]], max_rows: int) -> None:
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        sheet: Any = book.add_worksheet("passages")
        times, bold = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}), book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(columns) - 1, _WIDTH)
        for at, name in enumerate(columns):
            sheet.write_string(0, at, name, bold)
        for number, row in enumerate(rows, start=1):
            if number > max_rows:
                raise BadMessageError(
                    f"format: an Excel sheet has {max_rows:,} rows at most, and there are more; ask for less time "
                    "with since and until, or for csv",
                    field="format",
                )
            for at, cell in enumerate(row):
                if isinstance(cell, datetime):
                    sheet.write_datetime(number, at, cell.astimezone(UTC).replace(tzinfo=None), times)
                elif isinstance(cell, str):
                    sheet.write_string(number, at, cell)
                elif cell is not None:
                    sheet.write_number(number, at, cell)

"""Passages into a file for spreadsheets."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.cli.output import err
from sightline.client.http import download
from sightline.errors import BadMessageError
from sightline.settings import Settings

_PATH = "/passages/export"


def export(settings: Settings, path: Path, filters: Mapping[str, Any], *, is_excel: bool) -> None:
    """Write the passages; a file that is there already is replaced when the new one is complete.

    Raises:
        BadMessageError: the file cannot be written.
        As `sightline.client.http.download` does.
    """
    query = {**filters, "format": "xlsx" if is_excel else "csv"}
    if str(path) == "-":
        download(settings, _PATH, query, sys.stdout.buffer)
        return
    if path.is_dir():
        example = path / ("passages.xlsx" if is_excel else "passages.csv")
        raise BadMessageError(f"{path}: is a folder; name a file in it, such as {example}", field="file")
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            download(settings, _PATH, query, file)
        part.replace(path)
    except OSError as error:
        raise BadMessageError(f"{path}: cannot be written: {error.strerror}", field="file") from error
    finally:
        part.unlink(missing_ok=True)
    err.print(f"written to {path}")

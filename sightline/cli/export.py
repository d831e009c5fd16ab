"""Passages into a file for spreadsheets."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.cli.output import err
from sightline.client.asking import write_export
from sightline.settings import Settings


def export(settings: Settings, path: Path, filters: Mapping[str, Any], *, is_excel: bool) -> None:
    """Write the passages, into standard output if the path is `-`. Raises as `write_export` does."""
    query = {**filters, "format": "xlsx" if is_excel else "csv"}
    is_stdout = str(path) == "-"
    write_export(settings, sys.stdout.buffer if is_stdout else path, query)
    if not is_stdout:
        err.print(f"written to {path}")

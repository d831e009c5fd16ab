"""How commands print: a table for people, one JSON object a line with `--json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of a table.")]

#: Results go to standard output, progress and notes to standard error, so that pipes stay clean.
out = Console()
err = Console(stderr=True)


def print_json(value: Any) -> None:
    """One object on one line, whatever the terminal's width."""
    print(json.dumps(value, default=str, ensure_ascii=False))


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool, empty: str) -> None:
    """Rows as a table of the named columns (field: heading), or whole as JSON lines."""
    listed = list(rows)
    if as_json:
        for row in listed:
            print_json(row)
        return
    if not listed:
        out.print(f"[dim]{empty}[/dim]")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in columns.values():
        table.add_column(heading)
    for row in listed:
        table.add_row(*[Text(show(row.get(field))) for field in columns])  # `[gpu]` in a message is no markup
    out.print(table)


def show(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {number}" for key, number in value.items())  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(show(item) for item in value)  # pyright: ignore[reportUnknownVariableType]
    text = str(value)
    if len(text) > 19 and text[4:5] == "-" and text[10:11] == "T":
        return text[:19].replace("T", " ")
    return text

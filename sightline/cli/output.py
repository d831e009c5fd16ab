"""How commands print: a table for people, one JSON object a line with `--json`.

Nothing that is printed is markup: names, messages and texts read from images come from others. Style is given beside
the text, as `Text.assemble` does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sightline.terminal import printable

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of a table.")]

#: A pipe or a file has no width: there a row is one line, however long.
_ENDLESS = 100_000


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _ENDLESS
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


#: Results go to standard output, progress and notes to standard error, so that pipes stay clean.
out = _console(stderr=False)
err = _console(stderr=True)


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
        out.print(empty, style="dim")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")  # an id that is cut is of no use
    for row in listed:
        table.add_row(*[Text(show(row.get(field))) for field in columns])  # `[gpu]` in a message is no markup
    out.print(table)


def line(*parts: str | tuple[str, str]) -> Text:
    """One line of texts, each plain or with a style: `("dead", "red")`."""
    return Text.assemble(
        *[printable(part) if isinstance(part, str) else (printable(part[0]), part[1]) for part in parts]
    )


def show(value: Any) -> str:
    """A value as people read it. A mapping counts something: an empty one is a zero."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, Mapping):
        counts: Mapping[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return ", ".join(f"{printable(key)} {number}" for key, number in counts.items()) or "0"
    if isinstance(value, Sequence) and not isinstance(value, str):
        numbers: Sequence[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return ",".join(f"{number:.0f}" if isinstance(number, float) else show(number) for number in numbers)
    text = str(value)
    if len(text) > 19 and text[4:5] == "-" and text[10:11] == "T":
        return text[:19].replace("T", " ")
    return printable(text)

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
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sightline.errors import BadMessageError
from sightline.submission.names import readable_name
from sightline.terminal import printable

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of a table.")]

#: A pipe or a file has no width: there a row is one line, however long.
_ENDLESS = 100_000
#: Of a word that is longer, so much in a line can be read and compared.
_READABLE = 20
_GAP = 2  #: between two columns


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _ENDLESS
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


#: Results go to standard output, progress and notes to standard error, so that pipes stay clean.
out = _console(stderr=False)
err = _console(stderr=True)


def print_json(value: Any) -> None:
    """One object on one line, whatever the terminal's width."""
    print(readable_name(json.dumps(value, default=str, ensure_ascii=False)))


def print_done(answer: Any, text: str, *, as_json: bool) -> None:
    """What the API answered to a change; for people what was done, in words."""
    if as_json:
        print_json(answer)
    else:
        out.print(text)


def refuse_options_before_command(context: typer.Context, name: str) -> None:
    """Raises BadMessageError: options of the list `name` stand before a command of it, where they would be ignored."""
    if any(getattr(context.get_parameter_source(param), "name", "") == "COMMANDLINE" for param in context.params):
        raise BadMessageError(f"options go behind the command: sightline {name} {context.invoked_subcommand}")


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool, empty: str) -> None:
    """Rows as a table of the named columns (field: heading), or whole as JSON lines.

    In a terminal that is too narrow for the table, columns in which nothing stands are left out; if that is not enough,
    each row becomes a block of lines, one a field.
    """
    if as_json:
        for row in rows:
            print_json(row)
        return
    texts = [{heading: show(row.get(field)) for field, heading in columns.items()} for row in rows]
    if not texts:
        out.print(empty, style="dim")
        return
    headings = list(columns.values())
    if not _fits(headings, texts):
        headings = [heading for heading in headings if any(text[heading] for text in texts)]
    if _fits(headings, texts):
        _print_table(headings, texts)
    else:
        _print_blocks(headings, texts)


def _fits(headings: Sequence[str], texts: Sequence[Mapping[str, str]]) -> bool:
    """Whether each column gets the room for its longest word, or for `_READABLE` signs of an id or an address."""
    words = ([heading, *(text[heading] for text in texts)] for heading in headings)
    widths = [max(min(cell_len(word), _READABLE) for word in " ".join(column).split()) for column in words]
    return sum(widths) + _GAP * (len(widths) - 1) <= out.width


def _print_table(headings: Sequence[str], texts: Iterable[Mapping[str, str]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")  # an id that is cut is of no use
    for text in texts:
        table.add_row(*[Text(text[heading]) for heading in headings])  # `[gpu]` in a message is no markup
    out.print(table)


def _print_blocks(headings: Sequence[str], texts: Iterable[Mapping[str, str]]) -> None:
    for number, text in enumerate(texts):
        if number:
            out.print()
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="bold", width=max(map(cell_len, headings)))
        table.add_column(overflow="fold")
        for heading in headings:
            if text[heading]:
                table.add_row(heading, Text(text[heading]))
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

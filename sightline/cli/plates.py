"""`sightline plates`: lists of known plates, who may pass and who is looked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from sightline.cli.output import JsonFlag, out, print_json, print_rows
from sightline.cli.queries import Data, settings_for
from sightline.client.http import call_api, fetch
from sightline.errors import BadMessageError

app = typer.Typer(
    help="Lists of known plates (allow, deny, any other): list, add, remove, import, export.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="LIST", help="allow, deny or any other name.")]
Plate = Annotated[str, typer.Argument(help="The plate, in any spelling.")]


@app.command("list")
def list_plates(
    name: Annotated[str | None, typer.Argument(metavar="[LIST]", help="Only this list.")] = None,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Known plates."""
    answer: dict[str, Any] = call_api(settings_for(data), "GET", "/plates", query={"list": name})
    columns = {"list_name": "list", "plate": "plate", "tolerance": "tolerance", "note": "note"}
    empty = "no plates on this list" if name else "no known plates; add one: sightline plates add deny KAB4721"
    print_rows(answer["items"], columns, as_json=as_json, empty=empty)


@app.command()
def add(
    name: Name,
    plate: Plate,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=2,
            help="A plate that differs by so much is taken for it: 1 a character, less for look-alikes; else 1.",
        ),
    ] = None,
    note: Annotated[str, typer.Option(help="Why it is there.")] = "",
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Put a plate on a list. Passages from two seconds later on are compared with it."""
    body = {"list": name, "plate": plate, "note": note} | ({} if tolerance is None else {"tolerance": tolerance})
    answer: dict[str, Any] = call_api(settings_for(data), "POST", "/plates", body=body)
    if as_json:
        print_json(answer)
    else:
        out.print(f"{answer['plate']} is on the list {name}")


@app.command()
def remove(name: Name, plate: Plate, data: Data = None) -> None:
    """Take a plate off a list."""
    call_api(settings_for(data), "DELETE", f"/plates/{quote(name, safe='')}/{quote(plate, safe='')}")
    out.print(f"{plate} is off the list {name}")


@app.command("import")
def import_csv(
    file: Annotated[Path, typer.Argument(help="CSV with a heading: list, plate, tolerance, note.")],
    name: Annotated[str | None, typer.Option("--list", help="The list of all its plates.")] = None,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Add the plates of a CSV file, all or none."""
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadMessageError(f"{file}: {error}", field="file") from error
    answer: dict[str, Any] = call_api(settings_for(data), "POST", "/plates/import", body={"csv": text, "list": name})
    if as_json:
        print_json(answer)
    else:
        out.print(f"{answer['count']} plates imported")


@app.command("export")
def export_csv(
    file: Annotated[Path | None, typer.Argument(help="Where to; else standard output.")] = None,
    name: Annotated[str | None, typer.Option("--list", help="Only this list.")] = None,
    data: Data = None,
) -> None:
    """Known plates as CSV, as `import` reads it."""
    text = fetch(settings_for(data), "/plates/export", query={"list": name}).decode()
    if file is None:
        sys.stdout.write(text)
    else:
        file.write_text(text, "utf-8")

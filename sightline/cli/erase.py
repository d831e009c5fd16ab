"""`sightline erase`: what was seen is forgotten, for good."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from sightline.cli.output import JsonFlag, out, print_json
from sightline.cli.queries import Data, settings_for
from sightline.client.http import call_api

app = typer.Typer(
    help="Forget a frame, a vehicle or all of a source, with pictures. Needs an admin's key.", no_args_is_help=True
)

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command()
def frame(
    frame_id: Annotated[str, typer.Argument(metavar="FRAME", help="Id of the frame.")],
    yes: Yes = False,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """A frame, its picture and all that was found on it."""
    _erase(f"frame {frame_id}", f"/frames/{quote(frame_id, safe='')}", yes=yes, as_json=as_json, data=data)


@app.command()
def passage(
    passage_id: Annotated[str, typer.Argument(metavar="PASSAGE", help="Id of the passage.")],
    yes: Yes = False,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """A vehicle, and every frame that it was read on, also where these show others."""
    _erase(f"passage {passage_id}", f"/passages/{quote(passage_id, safe='')}", yes=yes, as_json=as_json, data=data)


@app.command()
def source(
    source_id: Annotated[str, typer.Argument(metavar="SOURCE", help="Name of the source.")],
    yes: Yes = False,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Frames, pictures, dead letters and passages of a source. A camera goes on."""
    path = f"/sources/{quote(source_id, safe='')}/data"
    _erase(f"all of source {source_id}", path, yes=yes, as_json=as_json, data=data)


def _erase(what: str, path: str, *, yes: bool, as_json: bool, data: Data) -> None:
    if not yes:
        typer.confirm(f"{what} goes for good. Erase it?", abort=True, err=True)
    erased: dict[str, Any] = call_api(settings_for(data), "DELETE", path)
    if as_json:
        print_json(erased)
        return
    counts = [f"{count} {name.replace('_', ' ')}" for name, count in erased.items() if count and name != "job_ids"]
    out.print(f"{what} is gone: {', '.join(counts)}", soft_wrap=True)

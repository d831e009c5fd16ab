"""`sightline correct`: what plate a vehicle has, whatever was read."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from sightline.cli.output import JsonFlag, print_done
from sightline.cli.queries import Data, settings_for
from sightline.client.http import call_api
from sightline.errors import BadMessageError


def correct(
    passage_id: Annotated[
        str, typer.Argument(metavar="PASSAGE", help="Id of the passage, as its page and `passages --json` show it.")
    ],
    plate: Annotated[str | None, typer.Argument(help="Its plate, in any spelling.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take a correction back: the plate is as it was read.")] = False,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Say what plate a vehicle has. What was read stays beside it, and search finds both. Needs an operator's key."""
    if undo == (plate is not None):
        raise BadMessageError("PLATE: give the plate, or --undo to take a correction back", field="plate")
    path = f"/passages/{quote(passage_id, safe='')}"
    answer: dict[str, Any] = call_api(settings_for(data), "PATCH", path, body={"text": plate})
    correction = answer["correction"]
    read = "as it was read" if correction is None else f"read as {correction['read']}"
    print_done(answer, f"the plate of {passage_id} is {answer['text']}, {read}", as_json=as_json)

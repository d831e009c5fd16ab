"""`sightline trace`: where the time of a frame went."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from sightline.cli.output import JsonFlag, line, out, print_json, print_rows
from sightline.cli.queries import Data, settings_for
from sightline.client.http import call_api


def trace(
    frame_id: Annotated[str, typer.Argument(help="The id of a stored frame.")],
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Say where the time of a frame went: waits, models, and the rest."""
    answer: dict[str, Any] = call_api(settings_for(data), "GET", f"/frames/{quote(frame_id, safe='')}/trace")
    if as_json:
        print_json(answer)
        return
    out.print(line(f"{answer['frame_id']} of job {answer['job_id']}: {answer['total_ms']:.0f} ms to its row"))
    columns = {
        "step": "where",
        "ms": "ms",
        "share": "share",
        "batch_size": "batch",
        "model": "model",
        "worker": "worker",
    }
    print_rows([_row(span, answer["total_ms"]) for span in answer["spans"]], columns, as_json=False, empty="")


def _row(span: dict[str, Any], total_ms: float) -> dict[str, Any]:
    if span["beside"]:
        return span | {"share": "beside"}
    share = None if span["what"] == "source" or not total_ms else f"{span['ms'] / total_ms:.0%}"
    return span | {"share": share}

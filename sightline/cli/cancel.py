"""`sightline cancel`: jobs that nobody wants any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from sightline.cli.output import JsonFlag, print_rows
from sightline.cli.queries import Data, settings_for
from sightline.client.http import call_api
from sightline.delivery.cancellations import CANCELLED

#: As long as a sweep and a busy writer take, and below the time-out of a request.
_WAIT_S: Final = 15


def cancel(
    job_ids: Annotated[list[str], typer.Argument(help="Ids as `sightline jobs` shows them.", metavar="JOB...")],
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Have jobs dropped. Exit code 1 if one ended otherwise: what was just being written is stored.

    What waits is not begun; what is worked on ends at its next step.
    """
    settings = settings_for(data)
    answers = [
        call_api(settings, "POST", f"/jobs/{job_id}/cancel", query={"wait": _WAIT_S}, waits_s=_WAIT_S)
        for job_id in job_ids
    ]
    rows = [{"job_id": answer["job_id"], "ended": _ended(answer)} for answer in answers]
    print_rows(rows, {"job_id": "job", "ended": "ended"}, as_json=as_json, empty="")
    if any(row["ended"] not in (CANCELLED, "not yet") for row in rows):
        raise typer.Exit(1)


def _ended(answer: Mapping[str, Any]) -> str:
    """How a job ended: `cancelled`, its status, or `not yet` while a stage has it in hand."""
    if "result" not in answer:
        return "not yet"
    rules = {frame.get("dropped") for frame in answer["result"]["frames"]}
    return CANCELLED if rules == {CANCELLED} else str(answer["status"])

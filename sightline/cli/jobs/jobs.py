"""`sightline jobs`: a list, and what each stage took for one job; `sightline cancel`: jobs that nobody wants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from sightline.cli.output import JsonFlag, line, out, print_json, print_rows, refuse_options_before_command
from sightline.cli.queries import Data, Limit, Since, Until, if_empty, require_one_page, settings_for
from sightline.client.http import call_api, list_items
from sightline.delivery.cancellations import CANCELLED
from sightline.errors import BadMessageError
from sightline.settings import Settings
from sightline.types import OtherResult

app = typer.Typer(invoke_without_command=True)

#: As long as a sweep and a busy writer take, and below the time-out of a request.
_WAIT_S: Final = 15


@app.callback()
def list_jobs(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="open, stored, dropped or dead.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Jobs, newest first. `sightline jobs show ID` says where the time of one went."""
    if context.invoked_subcommand is not None:
        refuse_options_before_command(context, "jobs")
        return
    if status == "open":
        require_one_page(limit, "--status open")
    query = {"status": status, "since": since, "until": until}
    columns = {
        "job_id": "job",
        "status": "status",
        "pipeline": "pipeline",
        "lane": "lane",
        "published_at": "published (UTC)",
    }
    rows = list_items(settings_for(data), "/jobs", query, limit=limit)
    print_rows(rows, columns, as_json=as_json, empty=if_empty(query, "no jobs yet"))


@app.command()
def show(
    job_id: Annotated[str, typer.Argument(help="An id from the list.")], as_json: JsonFlag = False, data: Data = None
) -> None:
    """One job: for each frame and stage the wait in the queue, the model and its time, and what came of it."""
    answer: dict[str, Any] = call_api(settings_for(data), "GET", f"/jobs/{job_id}")
    if as_json:
        print_json(answer)
        return
    result = answer.get("result")
    if result is None:
        out.print(line(f"{job_id}: {answer['status']}; it has no result yet"))
        return
    out.print(line(f"{job_id}: {result['status']}, {result['pipeline']}, finished {result['finished_at']}"))
    columns = {
        "frame": "frame",
        "stage": "stage",
        "waited_ms": "waited ms",
        "inference_ms": "model ms",
        "batch_size": "batch",
        "model": "model",
        "runtime": "runtime",
        "worker": "worker",
        "outcome": "outcome",
    }
    print_rows(_steps(result), columns, as_json=False, empty="it went through no stage")


def _steps(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for frame in result["frames"]:
        name = frame["frame"].get("name") or frame["frame"]["frame_id"]
        steps = frame.get("stages") or [{}]
        for step in steps:
            waited = step.get("queue_wait_ms")
            shown = {"frame": name, "waited_ms": None if waited is None else round(waited, 1)}
            model = step.get("inference_ms")
            yield (
                step
                | shown
                | {
                    "inference_ms": None if model is None else round(model, 1),
                    "outcome": _outcome(frame) if step is steps[-1] else "",
                }
            )


def _outcome(frame: dict[str, Any]) -> str:
    if error := frame.get("error"):
        return f"dead in {error['stage']}: {error['message']}"
    if dropped := frame.get("dropped"):
        return f"dropped: {dropped}"
    if "readings" in frame:
        return ", ".join(map(_words, frame["readings"])) or "nothing read"
    return OtherResult.model_construct(**frame).summary or "nothing found"


def _words(reading: dict[str, Any]) -> str:
    unread = f"({reading['unread']} not read)" if reading.get("unread") else ""
    return f"{reading['text']} {unread}".strip()


def cancel(
    job_ids: Annotated[list[str], typer.Argument(help="Ids as `sightline jobs` shows them.", metavar="JOB...")],
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Have jobs dropped. Exit code 1 if one ended otherwise: what was just being written is stored, or nobody knows it.

    What waits is not begun; what is worked on ends at its next step.
    """
    settings = settings_for(data)
    rows = [{"job_id": job_id, "ended": _cancel(settings, job_id)} for job_id in job_ids]
    print_rows(rows, {"job_id": "job", "ended": "ended"}, as_json=as_json, empty="")
    if any(row["ended"] not in (CANCELLED, "not yet") for row in rows):
        raise typer.Exit(1)


def _cancel(settings: Settings, job_id: str) -> str:
    """How it ended. One that there is not must not keep the others."""
    path = f"/jobs/{quote(job_id, safe='')}/cancel"
    try:
        return _ended(call_api(settings, "POST", path, query={"wait": _WAIT_S}, waits_s=_WAIT_S))
    except BadMessageError as error:
        return str(error)


def _ended(answer: Mapping[str, Any]) -> str:
    """How a job ended: `cancelled`, its status, or `not yet` while a stage has it in hand."""
    if "result" not in answer:
        return "not yet"
    rules = {frame.get("dropped") for frame in answer["result"]["frames"]}
    return CANCELLED if rules == {CANCELLED} else str(answer["status"])

"""`sightline dead-letters`: what gave up and why; replay it, or discard it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urljoin

import typer

from sightline.cli.output import JsonFlag, err, line, out, print_json, print_rows, refuse_options_before_command
from sightline.cli.queries import Data, Limit, Since, Source, Until, if_empty, settings_for
from sightline.client.http import call_api, list_items
from sightline.errors import BadMessageError

app = typer.Typer(invoke_without_command=True)

Ids = Annotated[list[str] | None, typer.Argument(help="Ids from the list.")]
Reason = Annotated[str | None, typer.Option(help="Only this reason.")]

#: In one request, so that each is over long before the client gives up.
_AT_ONCE = 200


@app.callback()
def list_letters(
    context: typer.Context,
    reason: Reason = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    ended: Annotated[bool, typer.Option("--all", help="Also those stored since or discarded.")] = False,
    limit: Limit = 50,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Frames that gave up, with the reason. Alone it lists them; `show`, `replay` and `discard` take their ids."""
    if context.invoked_subcommand is not None:
        refuse_options_before_command(context, "dead-letters")
        return
    query = {"reason": reason, "source": source, "since": since, "until": until, "ended": ended or None}
    columns = {
        "letter_id": "id",
        "died_at": "when (UTC)",
        "source_id": "source",
        "stage": "stage",
        "reason": "reason",
        "state": "state",
        "message": "message",
    }
    rows = list_items(settings_for(data), "/dead-letters", query, limit=limit)
    print_rows(rows, columns, as_json=as_json, empty=if_empty(query, "no dead letters"))


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(help="An id from the list.")], as_json: JsonFlag = False, data: Data = None
) -> None:
    """One dead letter: the reason in words, where it died, how often, what came, its picture."""
    settings = settings_for(data)
    letter: dict[str, Any] = call_api(settings, "GET", f"/dead-letters/{letter_id}")
    if as_json:
        print_json(letter)
        return
    frame, picture = letter["frame"], letter["links"].get("picture")
    kept = urljoin(f"{settings.api_url}/", picture) if picture else _without_picture(frame or {})
    facts = {
        "reason": letter["reason"],
        "": letter["explanation"],
        "message": letter["message"],
        "state": letter["state"],
        "stage": letter["stage"],
        "attempts": f"{letter['attempt']} in its last job; died {letter['times']} time{'s' * (letter['times'] > 1)}",
        "died at": letter["died_at"],
        "source": letter["source_id"],
        "pipeline": letter["pipeline"],
        "job": frame and letter["job_id"],
        "frame": frame and f"{frame['frame_id']} {frame['name']}".strip(),
        "picture": frame and kept,
        "payload": None if frame else repr(letter["payload"]),
    }
    for name, value in facts.items():
        if value is not None:
            out.print(line(f"{name:<10}{value}"), soft_wrap=True)


def _without_picture(frame: Mapping[str, Any]) -> str:
    parts = frame.get("parts") or [{}]
    if all(part.get("text") is not None for part in parts):
        return "not needed: its text is in the message"
    return "not kept: it cannot be replayed"


@app.command()
def replay(
    ids: Ids = None,
    reason: Reason = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Send dead frames on their way again. Exit code 1 if one cannot be: its picture was not kept."""
    count, refused = 0, []
    for done in _act("replay", _choice(ids, reason=reason, source=source, since=since, until=until), data):
        count += done["count"]
        refused += done["refused"]
    if as_json:
        print_json({"count": count, "refused": refused})
    else:
        for refusal in refused:
            err.print(line(f"{refusal['letter_id']}: {refusal['detail']}"), soft_wrap=True)
        out.print(f"{count} replayed" + (f", {len(refused)} cannot be" if refused else ""))
    if refused:
        raise typer.Exit(1)


@app.command()
def discard(
    ids: Ids = None,
    reason: Reason = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, however many they are.")] = False,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Mark dead letters as of no further interest: they leave the list, their rows stay."""
    choice = _choice(ids, reason=reason, source=source, since=since, until=until)
    # Exactly those that were counted, not those that die while somebody thinks about the question.
    found: list[str] = choice.get("ids") or list(_find(choice, data))
    if len(found) > 1 and not yes:
        typer.confirm(f"discard {len(found)} dead letters?", abort=True, err=True)
    count = sum(done["count"] for done in _act("discard", {"ids": found}, data)) if found else 0
    if as_json:
        print_json({"count": count})
    else:
        out.print(f"{count} discarded")


def _choice(ids: list[str] | None, **filters: str | None) -> dict[str, Any]:
    given = {name: value for name, value in filters.items() if value is not None}
    if bool(ids) == bool(given):
        raise BadMessageError(
            "ids: give some, or at least one of --reason, --source, --since, --until; not both", field="ids"
        )
    return {"ids": list(dict.fromkeys(ids))} if ids else given


def _act(what: str, choice: dict[str, Any], data: Path | None) -> Iterator[dict[str, Any]]:
    """One answer a request: so many named letters at a time, or page by page."""
    settings = settings_for(data)
    path = f"/dead-letters/{what}"
    if ids := choice.get("ids"):
        for start in range(0, len(ids), _AT_ONCE):
            yield call_api(settings, "POST", path, body={"ids": ids[start : start + _AT_ONCE]})
        return
    cursor: str | None = None
    while True:
        done: dict[str, Any] = call_api(settings, "POST", path, body=choice | {"limit": _AT_ONCE, "cursor": cursor})
        yield done
        cursor = done["next_cursor"]
        if cursor is None:
            return


def _find(choice: dict[str, Any], data: Path | None) -> Iterator[str]:
    letters = list_items(settings_for(data), "/dead-letters", choice, limit=sys.maxsize)
    yield from (letter["letter_id"] for letter in letters)

"""`sightline conversations`: what was asked under an id and is kept, of this key."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from sightline.cli.output import JsonFlag, out, print_json, print_rows
from sightline.cli.queries import Data, settings_for
from sightline.client.http import call_api, list_items
from sightline.terminal import printable

app = typer.Typer(
    help="Conversations that are kept (`sightline ask --conversation ID`): list, show, delete.", no_args_is_help=True
)

Id = Annotated[str, typer.Argument(metavar="ID", help="As it was given.")]
_COLUMNS = {"conversation_id": "conversation", "created_at": "since", "updated_at": "last question"}


@app.command("list")
def list_conversations(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Those of this key, the newest first; for an admin's key all."""
    rows = list(list_items(settings_for(data), "/conversations", {}, limit=limit))
    print_rows(rows, _COLUMNS, as_json=as_json, empty="no conversations; sightline ask --conversation ID keeps one")


@app.command()
def show(conversation: Id, as_json: JsonFlag = False, data: Data = None) -> None:
    """What was said, oldest first."""
    answer: dict[str, Any] = call_api(settings_for(data), "GET", f"/conversations/{quote(conversation, safe='')}")
    if as_json:
        print_json(answer)
        return
    for message in answer["messages"]:
        said = str(message["content"].get("content") or message["content"].get("tool_calls") or "")
        print(f"{message['role']}: " + "\n".join(map(printable, said.split("\n"))))


@app.command()
def delete(conversation: Id, as_json: JsonFlag = False, data: Data = None) -> None:
    """Forget it, with its questions and answers, for good."""
    answer: dict[str, Any] = call_api(settings_for(data), "DELETE", f"/conversations/{quote(conversation, safe='')}")
    if as_json:
        print_json(answer)
    else:
        out.print(f"forgotten: {conversation}, with {answer['frames']} questions")

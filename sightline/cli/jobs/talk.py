"""`sightline ask --conversation`: a question through the API, which knows what was said before and keeps the answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import typer

from sightline.chat.lookups.named import Found
from sightline.chat.lookups.told import sources_of
from sightline.cli.jobs.waiting import unserved, who_is_missing
from sightline.cli.output import err, print_json
from sightline.client.http import ApiClient
from sightline.errors import BadMessageError
from sightline.settings import Settings
from sightline.terminal import printable
from sightline.types import Lane

_LOOK_AFTER_S: Final = 8.0


def ask_in_conversation(
    text: str,
    conversation: str,
    settings: Settings,
    options: Mapping[str, Any],
    *,
    lane: Lane,
    lookups: bool,
    silent_s: float,
    as_json: bool,
) -> None:
    """Print the answer as it comes. Ctrl-C ends it. Exit code 1: there is none.

    Raises:
        BadMessageError: there is no question, or the API refuses it. Else as `ApiClient.call` does.
    """
    if not text.strip():
        raise BadMessageError("question: is empty; give at least one character", field="question")
    given = dict(options)
    system = given.pop("system", None)
    told = [{"role": "system", "content": system}] if system else []
    body = {
        "model": given.pop("model", "default"),
        "messages": [*told, {"role": "user", "content": text}],
        "stream": True,
        "conversation": conversation,
        "lookups": lookups,
        "asked_at": datetime.now().astimezone().isoformat(),
        "service_tier": "flex" if lane is Lane.BULK else "default",
        **given,
    }
    client = ApiClient(settings)
    watch = threading.Timer(_LOOK_AFTER_S, _say_who_is_missing, [settings])
    watch.daemon = True
    watch.start()
    answer: list[str] = []
    found: list[Any] = []
    is_whole, job_id = False, ""
    try:
        for data in client.events("/chat/completions", {}, silent_s=silent_s, body=body):
            watch.cancel()
            if data == "[DONE]":
                is_whole = True
                break
            chunk: dict[str, Any] = json.loads(data)
            if "error" in chunk:
                err.print(f"no answer: {chunk['error']['message']}", style="red")
                raise typer.Exit(1)
            job_id, found = chunk["id"].removeprefix("chatcmpl-"), chunk.get("lookups") or found
            piece = "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
            answer.append(piece)
            if not as_json:
                print("\n".join(map(printable, piece.split("\n"))), end="", flush=True)
    except KeyboardInterrupt:
        err.print("\ncancelled")
        raise typer.Exit(130) from None
    finally:
        watch.cancel()
        client.close()
    if not is_whole:
        err.print(f"no answer within {silent_s:g} s of silence. The question was cancelled", style="red")
        raise typer.Exit(1)
    if as_json:
        looked_up = {"lookups": found} if found else {}
        print_json({"job_id": job_id, "conversation": conversation, "answer": "".join(answer), **looked_up})
        return
    print()
    if found:
        sources = sources_of([Found.model_validate(one) for one in found])
        print("\n".join(map(printable, f"\n{sources}".split("\n"))))


def _say_who_is_missing(settings: Settings) -> None:
    if queues := unserved(settings):
        err.print(f"{who_is_missing('chat', queues)} The question waits; Ctrl-C cancels it")

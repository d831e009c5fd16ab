"""`sightline sinks`: push results to webhooks, MQTT and files; pause, test and replay them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sightline.cli.output import JsonFlag, err, out, print_done, print_json, print_rows, show
from sightline.cli.queries import Data, settings_for
from sightline.client.http import call_api
from sightline.errors import BadMessageError
from sightline.settings import Settings
from sightline.wire.events import Event

app = typer.Typer(
    help="Sinks: push results to webhooks, MQTT and files; list, add, pause, resume, remove, test, replay.",
    no_args_is_help=True,
)

#: `10.0.0.9:8080/hook`, or a name with a dot and a port: no folder.
_ADDRESS = re.compile(r"(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+):\d{1,5}(/|$)")
_FORMS = (
    "http(s)://host/path (a webhook), mqtt(s)://user:password@host:port/prefix, kafka(s)://host:port/topic, or "
    "/folder/ (JSON lines)"
)
Name = Annotated[str, typer.Argument(help="Name of the sink.")]


@app.command("list")
def list_sinks(as_json: JsonFlag = False, data: Data = None) -> None:
    """Sinks, and how many events wait, were sent and were given up."""
    answer: dict[str, Any] = call_api(settings_for(data), "GET", "/sinks")
    columns = {
        "sink_id": "sink",
        "kind": "kind",
        "state": "state",
        "pending": "pending",
        "sent": "sent",
        "dead": "dead",
        "events": "events",
        "sources": "sources",
        "wants": "options",
        "url": "url",
        "last_error": "last error",
    }
    rows = [sink | {"state": _state(sink), "wants": _wants(sink["options"])} for sink in answer["items"]]
    print_rows(rows, columns, as_json=as_json, empty="no sinks; add one: sightline sinks add NAME URL")


@app.command()
def add(
    name: Name,
    url: Annotated[
        str,
        typer.Argument(
            help="http(s)://… (webhook), mqtt(s)://user:password@host:port/prefix, kafka(s)://host:port/topic, or a "
            "folder for JSON lines, with a slash (./events)."
        ),
    ],
    event: Annotated[list[Event] | None, typer.Option(help="What it gets, several times; else passage.*.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only this source; give it several times.")] = None,
    secret: Annotated[str | None, typer.Option(help="whsec_… to sign webhooks with; one is made otherwise.")] = None,
    on_list: Annotated[
        list[str] | None, typer.Option("--list", help="Only passages on this list of known plates; may be repeated.")
    ] = None,
    min_confidence: Annotated[float | None, typer.Option(min=0, max=1, help="Only passages at least so sure.")] = None,
    zone: Annotated[
        list[str] | None, typer.Option(help="Only what is in this zone of a camera; may be repeated.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(help="'Name: value', sent with each request of a webhook.")
    ] = None,
    picture: Annotated[str | None, typer.Option(help="Send it along: crop (of the plate) or frame.")] = None,
    as_format: Annotated[
        str | None, typer.Option("--format", help="plate-recognizer for webhooks, frigate for MQTT; else our own.")
    ] = None,
    ca_file: Annotated[str | None, typer.Option(help="Certificates to trust, where deliver runs.")] = None,
    cert_file: Annotated[str | None, typer.Option(help="Our certificate, where deliver runs.")] = None,
    key_file: Annotated[str | None, typer.Option(help="Its key.")] = None,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Add a sink. It gets what happens from two seconds later on."""
    if _ADDRESS.match(url) and not Path(url).exists():
        raise BadMessageError(f"url: {url!r} has no scheme; write http://{url}, mqtt://{url}, or ./{url} for a folder")
    if "/" not in url:
        cure = f"write ./{url} for a folder here, or" if url.strip(". ") else "write"
        raise BadMessageError(f"url: {url!r} is no place to send to; {cure} {_FORMS}", field="url")
    if "://" not in url:
        url = Path(url).resolve().as_uri()  # the deliver process may run in another folder
    options = {
        "lists": on_list,
        "min_confidence": min_confidence,
        "zones": zone,
        "headers": dict(map(_header, header or [])) or None,
        "picture": picture,
        "format": as_format,
        "ca_file": ca_file,
        "cert_file": cert_file,
        "key_file": key_file,
    }
    given = {
        "sink_id": name,
        "url": url,
        "events": event,
        "sources": source,
        "secret": secret,
        "options": {option: value for option, value in options.items() if value is not None} or None,
    }
    body = {field: value for field, value in given.items() if value is not None}
    settings = settings_for(data)
    unknown = list(_unknown(settings, lists=on_list or (), sources=source or (), zones=zone or ()))
    sink: dict[str, Any] = call_api(settings, "POST", "/sinks", body=body)
    for hint in unknown:
        err.print(hint, soft_wrap=True, markup=False)
    if as_json:
        print_json(sink)
        return
    out.print(f"{name} added ({sink['kind']} to {sink['url']})", soft_wrap=True, markup=False)
    if sink["secret"]:
        out.print(f"secret, shown this once: {sink['secret']}", soft_wrap=True)


@app.command()
def pause(name: Name, as_json: JsonFlag = False, data: Data = None) -> None:
    """Send nothing to a sink for now; its events wait."""
    answer = call_api(settings_for(data), "PATCH", f"/sinks/{name}", body={"enabled": False})
    print_done(answer, f"{name} paused", as_json=as_json)


@app.command()
def resume(name: Name, as_json: JsonFlag = False, data: Data = None) -> None:
    """Send to a paused or disabled sink again, first what waits for it."""
    answer = call_api(settings_for(data), "PATCH", f"/sinks/{name}", body={"enabled": True})
    print_done(answer, f"{name} resumed", as_json=as_json)


@app.command()
def remove(name: Name, data: Data = None) -> None:
    """Remove a sink and what waits for it."""
    call_api(settings_for(data), "DELETE", f"/sinks/{name}")
    out.print(f"{name} removed")


@app.command()
def rotate(
    name: Name,
    finish: Annotated[
        bool, typer.Option("--finish", help="The receiver has the new secret: sign with it alone.")
    ] = False,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Give a webhook a new secret. Both sign until you say --finish."""
    answer: dict[str, Any] = call_api(settings_for(data), "DELETE" if finish else "POST", f"/sinks/{name}/secret")
    if finish:
        print_done(answer, f"{name} signs with its new secret alone", as_json=as_json)
    else:
        print_done(answer, f"new secret, shown this once: {answer.get('secret')}", as_json=as_json)


@app.command("test")
def send_test(name: Name, as_json: JsonFlag = False, data: Data = None) -> None:
    """Send a test event and say what the receiver did. Exit code 1 if it did not take it."""
    answer: dict[str, Any] = call_api(settings_for(data), "POST", f"/sinks/{name}/test")
    if as_json:
        print_json(answer)
    elif answer["sent"]:
        out.print(f"{name} took the test event")
    elif answer["sent"] is None:
        err.print("the test event still waits: is the deliver role running, or the receiver left alone for now?")
    else:
        err.print(f"{name} did not take the test event: {answer['error']}", markup=False)
    if not answer["sent"]:
        raise typer.Exit(1)


@app.command()
def replay(
    name: Name,
    since: Annotated[str, typer.Option(help="From then on: 15m, 1h, 2d, or a date and time.")],
    until: Annotated[str | None, typer.Option(help="Before then; now, if left out.")] = None,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Send the events of a range of time once more. Their ids are the same: who has them already can tell."""
    answer: dict[str, Any] = call_api(
        settings_for(data), "POST", f"/sinks/{name}/replay", body={"since": since, "until": until}
    )
    print_done(answer, f"{answer['queued']} events are sent again", as_json=as_json)


def _unknown(
    settings: Settings, *, lists: Sequence[str], sources: Sequence[str], zones: Sequence[str]
) -> Iterator[str]:
    """A line for each name that nothing has yet: it may come later, or be misspelt."""
    for name in lists:
        if not call_api(settings, "GET", "/plates", query={"list": name})["items"]:
            yield f"note: no plate is on a list {name!r} yet; `sightline plates list` shows which lists there are"
    if not sources and not zones:
        return
    cameras: list[dict[str, Any]] = call_api(settings, "GET", "/cameras")["items"]
    for name in sorted({*sources} - {camera["camera_id"] for camera in cameras}):
        if not call_api(settings, "GET", "/jobs", query={"source": name, "limit": 1})["items"]:
            yield f"note: no camera is named {name!r}, and nothing came from such a source yet"
    for name in sorted({*zones} - {zone["name"] for camera in cameras for zone in camera["zones"]}):
        yield f"note: no camera has a zone {name!r} yet; `sightline cameras list --json` shows zones"


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise BadMessageError(f"--header: {text[:40]!r} is no 'Name: value'", field="headers")
    return name.strip(), value.strip()


def _wants(options: dict[str, Any]) -> str:
    """Those that are not as of any sink."""
    usual = (None, [], {}, 0, "", "none", "sightline")
    return ", ".join(f"{name} {show(value)}" for name, value in options.items() if value not in usual)


def _state(sink: dict[str, Any]) -> str:
    return "on" if sink["enabled"] else sink["disabled_reason"] or "paused"

"""`sightline cameras discover`: cameras of the network, and what to type to add them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from sightline.cli.output import JsonFlag, err, out, print_rows
from sightline.cli.queries import Data, settings_for
from sightline.client.http import call_api
from sightline.terminal import printable

#: Cameras may take ten seconds to be found, and each question to one five.
_TIMEOUT_S: Final = 90.0
_NONE_FOUND: Final = (
    "no camera answered. Is ONVIF on in their settings, and does the API run in their network (a container in that of "
    "its host)? Networks behind a router are not asked: name a camera there with --address"
)


def discover(
    user: Annotated[str, typer.Option(help="User of the cameras for ONVIF.")] = "",
    password: Annotated[str | None, typer.Option(help="His password; asked for if it is not given.")] = None,
    address: Annotated[
        str | None, typer.Option(help="Ask this camera alone; with its port if that is not 80: 10.0.0.7:8000.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=10, help="How long cameras may take to answer.")] = 3.0,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Find cameras in the network of the API by ONVIF, and their streams. Exit status 1: none."""
    if user and password is None:
        password = typer.prompt("Password", hide_input=True)
    body = {"user": user, "password": password or "", "address": address, "seconds": seconds}
    answer: dict[str, Any] = call_api(settings_for(data), "POST", "/cameras/discover", body=body, waits_s=_TIMEOUT_S)
    found: list[dict[str, Any]] = answer["items"]
    if as_json:
        print_rows(found, {}, as_json=True, empty="")
    else:
        for camera in found:
            _print(camera, user)
    if not found:
        err.print(_NONE_FOUND)
        raise typer.Exit(1)


def _print(camera: Mapping[str, Any], user: str) -> None:
    _line(f"{camera['address']}  {camera['name'] or 'no name'}")
    if camera["error"]:
        _line(f"  {camera['error']}")
    streams: list[dict[str, Any]] = camera["streams"]
    for stream in streams:
        size = f"{stream['width']} x {stream['height']}" if stream["width"] else "size not known"
        rate = "" if stream["fps"] is None else f", {stream['fps']:g} fps"
        _line(f"  {stream['url']}  {stream['codec'] or 'codec not known'}, {size}{rate}")
    if streams:
        login = f"{user or 'USER'}:PASSWORD@"
        main, sub = (stream["url"].replace("://", f"://{login}", 1) for stream in (streams[0], streams[-1]))
        second = f" --sub-url {shlex.quote(sub)}" if sub != main else ""
        _line(f"  sightline cameras add NAME {shlex.quote(main)}{second}")


def _line(text: str) -> None:
    """In one line, to be copied; what cameras say is no markup."""
    out.print(printable(text), soft_wrap=True, markup=False, highlight=False)

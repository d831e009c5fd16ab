"""`sightline doctor`: is everything as it should be, and what to do where it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Annotated

import typer

from sightline.cli.output import JsonFlag, line, out, print_json
from sightline.cli.queries import Data, settings_for
from sightline.doctor import elsewhere
from sightline.doctor.finding import Finding, State, guarded, ok
from sightline.doctor.machine import look_at_disks
from sightline.doctor.picture import send_a_picture
from sightline.doctor.services import look_at_api, look_at_frame_store, look_at_redis, look_at_workers
from sightline.errors import SightlineError
from sightline.settings import Settings

_STYLES = {State.OK: "green", State.WARN: "yellow", State.BAD: "bold red", State.UNKNOWN: "dim"}


def doctor(
    picture: Annotated[
        bool,
        typer.Option(
            help="Also send a drawn picture on its whole way; its job and passage stay, of the source doctor."
        ),
    ] = True,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Look at a whole installation: settings, clocks, Redis, database, disks, models, cameras, sinks, workers, API.

    Says for each what is wrong and what to do. Exit code 1 if something is bad.
    """
    counted: Counter[State] = Counter()
    for finding in _look(data, with_picture=picture):
        counted[finding.state] += 1
        if as_json:
            print_json(finding.model_dump(mode="json"))
            continue
        out.print(line((f"{finding.state:<8}", _STYLES[finding.state]), f"{finding.what}: {finding.says}"))
        if finding.do:
            out.print(line(" " * 8, (f"-> {finding.do}", "bold")))
    if not as_json:
        out.print(", ".join(f"{count} {state}" for state, count in sorted(counted.items())))
    if counted[State.BAD]:
        raise typer.Exit(1)


def _look(data: Data, *, with_picture: bool) -> Iterator[Finding]:
    try:
        settings = settings_for(data)
    except SightlineError as error:
        yield elsewhere.settings_finding(error)
        return
    yield ok("settings", f"{len(settings.model_fields_set)} given, all understood")
    checks: list[tuple[str, Callable[[Settings], Iterable[Finding]]]] = [
        ("disk", look_at_disks),
        ("redis", look_at_redis),
        ("frame store", look_at_frame_store),
        *((what, partial(elsewhere.ask, what)) for what in elsewhere.CHECKS),
        ("workers", look_at_workers),
        ("api", look_at_api),
    ]
    if with_picture:
        checks.append(("picture", send_a_picture))
    for what, check in checks:
        yield from guarded(what, partial(check, settings))

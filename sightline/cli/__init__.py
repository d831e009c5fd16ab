"""The `sightline` command.

Exit codes: 0 done; 1 it ran and the answer is bad (a frame is dead, the audit does not balance); 2 wrong input or
setting; 3 a service did not answer, or `submit` left out files of a folder; 130 Ctrl-C.

Times are UTC. In a terminal a table folds to its width, and one that is too wide becomes a block of lines for each row;
in a pipe each row is one line. --limit may be any number. `sightline --install-completion` makes the shell complete
commands and options.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sightline import __version__
from sightline.cli import cameras, correct, dead_letters, erase, explain, plates, queries, sinks, workers
from sightline.cli.jobs import ask, conversations, jobs, submit, trace
from sightline.cli.operating import backup, capacity, doctor, retention, up
from sightline.errors import RetryableError, SightlineError

app = typer.Typer(
    name="sightline",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"sightline {__version__}")
        raise typer.Exit


@app.callback()
def _sightline(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Cameras and uploads become rows you can trust."""


app.command()(up.up)
app.command()(submit.submit)
app.command()(ask.ask)
app.command()(jobs.cancel)
app.command()(correct.correct)
app.command()(explain.explain)
app.command()(trace.trace)
app.command()(capacity.capacity)
app.command()(doctor.doctor)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(queries.status)
app.add_typer(cameras.app, name="cameras")
app.add_typer(conversations.app, name="conversations")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(erase.app, name="erase")
app.add_typer(jobs.app, name="jobs")
app.add_typer(plates.app, name="plates")
app.add_typer(sinks.app, name="sinks")
for _command in (
    queries.passages,
    queries.detections,
    queries.readings,
    queries.findings,
    workers.workers,
    queries.queues,
    queries.audit,
    queries.audit_log,
    retention.retention,
):
    app.command()(_command)


def main() -> None:
    """Entry point: errors of ours become one line on standard error."""
    try:
        app()
    except RetryableError as error:
        print(f"sightline: {error}", file=sys.stderr)
        raise SystemExit(3) from error
    except SightlineError as error:
        print(f"sightline: {error}", file=sys.stderr)
        raise SystemExit(2) from error

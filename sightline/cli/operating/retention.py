"""`sightline retention`: delete what is old now, or see what would go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sightline.cli.output import JsonFlag, err, print_json, print_rows
from sightline.cli.queries import Data, settings_for
from sightline.errors import SettingsError
from sightline.local.checkout import require_checkout
from sightline.settings import PREFIX, PlaceSettings

Counts = dict[str, int]

#: In the words of people, in this order.
_NAMES = {
    "jobs": "jobs",
    "frames": "frames",
    "detections": "detections",
    "readings": "readings",
    "passages": "passages",
    "pictures": "pictures",
    "dead_letters": "dead letters",
    "events": "events",
    "audit_log": "entries of the audit log",
    "plates": "plates no passage has any more",
}


def retention(
    days: Annotated[
        float | None,
        typer.Option(min=0.04, max=36_500, help="Results and pictures older than this, whatever the settings say."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing, say what would go.")] = False,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Delete what is older than the settings say. Writers do so by themselves once an hour.

    Works on the database and the picture store, not through the API: run it where both can be reached.
    """
    require_checkout("storage", "sqlalchemy")
    options = [*(() if days is None else ("--days", str(days))), *(("--dry-run",) if dry_run else ())]
    old: Counter[str] = Counter()
    removed: Counter[str] = Counter()
    with _progress() as progress:
        task = progress.add_task("looking", total=None)
        for event, counts in _ask_storage(settings_for(data), options):
            if event == "old":
                old.update(counts)
                progress.update(task, description="deleting", total=old.total())
            elif event == "removed":
                removed.update(counts)
                progress.advance(task, sum(counts.values()))
    counted = old if dry_run else removed
    if as_json:
        print_json({"dry_run": dry_run, "counts": {name: counted[name] for name in _NAMES}})
        return
    heading = "would be deleted" if dry_run else "deleted"
    rows = [{"what": words, "count": counted[name]} for name, words in _NAMES.items() if counted[name]]
    print_rows(rows, {"what": "what", "count": heading}, as_json=False, empty="nothing is that old")


def _ask_storage(settings: PlaceSettings, options: list[str]) -> Iterator[tuple[str, Counts]]:
    """What `python -m storage retention` says, as it says it. Raises SettingsError: it failed; the text is why."""
    command = [sys.executable, "-m", "storage", "retention", "--json", *options]
    environment = dict(os.environ) | {PREFIX + "DATA_DIR": str(settings.data_dir)}
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=complaints, text=True)
        assert process.stdout is not None
        with process:
            for said in process.stdout:
                yield next(iter(json.loads(said).items()))
        if process.returncode:
            complaints.seek(0)
            raise SettingsError(complaints.read().strip() or f"it ended with status {process.returncode}")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )

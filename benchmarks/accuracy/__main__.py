"""How many plates of real photos are found and read right: `python -m benchmarks.accuracy PHOTOS` (docs/accuracy.md).

PHOTOS is a folder with `truth.tsv`, or with folders that have one. What is measured is what the workers do.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.accuracy import report
from benchmarks.accuracy.judge import Judged
from benchmarks.accuracy.page import write_page
from benchmarks.accuracy.run import CONFIGS, read_all
from benchmarks.accuracy.truth import read_photos
from sightline.errors import ModelError, SettingsError, SightlineError

_COLUMNS = (TextColumn("{task.description:>14}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("photos", type=Path, help="the folder")
    parser.add_argument("--config", nargs="+", choices=CONFIGS, default=[], help="only these, of: %(choices)s")
    parser.add_argument("--json", type=Path, help="write all figures and the fate of each photo here")
    parser.add_argument("--html", type=Path, help="write a page of all misses here, photos' crops inside")
    arguments = parser.parse_args()
    try:
        return _measure(arguments)
    except SightlineError as error:
        print(f"accuracy: {error}", file=sys.stderr)
        return 2


def _measure(arguments: argparse.Namespace) -> int:
    photos = read_photos(arguments.photos)
    console = Console(width=200)
    judged: dict[str, list[Judged]] = {}
    for name in arguments.config or CONFIGS:
        try:
            with Progress(*_COLUMNS, transient=True) as progress:
                task = progress.add_task(name, total=len(photos))
                judged[name] = read_all(photos, CONFIGS[name], partial(progress.advance, task))
        except (ModelError, SettingsError) as error:
            if arguments.config:
                raise
            console.print(f"{name}: left out, {error}", style="yellow")
    rows = [row for name, each in judged.items() for row in report.figures(name, each)]
    report.show(rows, console)
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_json(rows, judged), indent=1) + "\n")
    if arguments.html:
        write_page(arguments.html, judged, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

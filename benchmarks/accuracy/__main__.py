"""How many plates of real photos are found and read right: `python -m benchmarks.accuracy PHOTOS`.

See docs/measurements/accuracy.md.

PHOTOS is a folder with `truth.tsv`, or with folders that have one. What is measured is what the workers do.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.accuracy import passages, report
from benchmarks.accuracy.judge import Judged
from benchmarks.accuracy.page import write_page
from benchmarks.accuracy.run import CONFIGS, read_all
from benchmarks.accuracy.submitted import with_submitted
from benchmarks.accuracy.truth import read_photos
from sightline.errors import ModelError, SettingsError, SightlineError
from sightline.testing import make_picture
from workers.tools.local import LocalSystem

_COLUMNS = (TextColumn("{task.description:>20}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("photos", type=Path, nargs="?", help="the folder; without it only clips are measured")
    parser.add_argument("--config", nargs="+", choices=CONFIGS, default=[], help="only these, of: %(choices)s")
    parser.add_argument("--alone", action="store_true", help="do not submit the whole folder to a running Sightline")
    parser.add_argument("--json", type=Path, help="write all figures and the fate of each photo here")
    parser.add_argument("--html", type=Path, help="write a page of all misses here, photos' crops inside")
    parser.add_argument("--clips", type=int, default=0, metavar="N", help="also N drawn passages (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed: the same clips (%(default)s)")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # what is wrong is said once, by the error
    if not arguments.photos and not arguments.clips:
        parser.error("nothing to measure: name a folder of photos, or give --clips")
    try:
        return _measure(arguments)
    except SightlineError as error:
        print(f"accuracy: {error}", file=sys.stderr)
        return 2


def _measure(arguments: argparse.Namespace) -> int:
    console = Console(width=200)
    photos = read_photos(arguments.photos) if arguments.photos else []
    names = _available(arguments.config, console)
    judged: dict[str, list[Judged]] = {}
    clips: list[dict[str, object]] = []
    with Progress(*_COLUMNS, transient=True) as progress:
        for name in names:
            if photos:
                task = progress.add_task(f"{name}: photos", total=len(photos))
                judged[name] = read_all(photos, CONFIGS[name], partial(progress.advance, task))
                if not arguments.alone:
                    task = progress.add_task(f"{name}: folder", total=None)
                    judged[name] = with_submitted(judged[name], CONFIGS[name])
                    progress.remove_task(task)
            if arguments.clips:
                task = progress.add_task(f"{name}: clips", total=arguments.clips)
                done = partial(progress.advance, task)
                watched = passages.watch_all(CONFIGS[name], clips=arguments.clips, seed=arguments.seed, advance=done)
                clips += passages.rows_of(name, watched)
    rows = [row for name, each in judged.items() for row in report.figures(name, each)]
    if rows:
        report.show(rows, console)
    if clips:
        passages.show(clips, console)
    if arguments.json:
        written = report.as_json(rows, judged) | {"clips": [report.plain(row) for row in clips]}
        arguments.json.write_text(json.dumps(written, indent=1) + "\n")
    if arguments.html:
        write_page(arguments.html, judged, rows)
    return 0


def _available(wanted: list[str], console: Console) -> list[str]:
    """The configurations to measure. What is not to be had on this machine is left out, unless it was asked for."""
    found: list[str] = []
    for name in wanted or CONFIGS:
        try:
            with LocalSystem(CONFIGS[name].settings()) as system:
                system.explain_photo(make_picture(""), name, "first")
            found.append(name)
        except (ModelError, SettingsError) as error:
            if wanted:
                raise
            console.print(f"{name}: left out, {error}", style="yellow")
    return found


if __name__ == "__main__":
    raise SystemExit(main())

"""Whether each vehicle becomes one passage with its plate: `python -m benchmarks.passages`.

See docs/measurements/accuracy.md.

Clips of a seed are drawn and read once (slow, kept in data/passages), then today's rules, those of before and a tracker
make passages of the same readings (fast).
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.passages import report
from benchmarks.passages.before import of_before
from benchmarks.passages.clips import scenarios
from benchmarks.passages.judge import judge
from benchmarks.passages.page import write_page
from benchmarks.passages.readings import read_clips
from benchmarks.passages.rules import Rules, shuffled, todays
from benchmarks.passages.tracker import tracked
from sightline.errors import SightlineError
from sightline.settings import Settings, load_settings

_COLUMNS = (TextColumn("{task.description:>16}"), BarColumn(), MofNCompleteColumn())
_TIMES = (TimeElapsedColumn(), TimeRemainingColumn())
RULES: dict[str, Rules] = {"today": todays, "shuffled": shuffled, "before": of_before, "tracker": tracked}
_USUAL = ["today", "before", "tracker"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.passages", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed: the same clips (%(default)s)")
    parser.add_argument(
        "--clips", type=int, default=2 * len(scenarios()), metavar="N", help="scenarios in turn (%(default)s)"
    )
    parser.add_argument("--only", nargs="+", choices=scenarios(), default=[], help="clips of these, of: %(choices)s")
    parser.add_argument("--rules", nargs="+", choices=RULES, default=_USUAL, help="of: %(choices)s (%(default)s)")
    parser.add_argument("--cache", type=Path, default=Path("data/passages"), help="where readings are kept")
    parser.add_argument("--json", type=Path, help="write all figures and the fate of each vehicle here")
    parser.add_argument("--html", type=Path, help="write a page of the faults of the first of the rules here")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # what is wrong is said once, by the error
    try:
        return _measure(arguments, load_settings())
    except (SightlineError, FileNotFoundError) as error:
        print(f"passages: {error}", file=sys.stderr)
        return 2


def _measure(arguments: argparse.Namespace, settings: Settings) -> int:
    names = scenarios()
    numbers = [number for number in range(arguments.clips) if names[number % len(names)] in (arguments.only or names)]
    judged = {}
    with Progress(*_COLUMNS, *_TIMES, transient=True) as progress:
        task = progress.add_task("draw and read", total=len(numbers))
        clips = read_clips(arguments.seed, numbers, settings, arguments.cache, partial(progress.advance, task))
        task = progress.add_task("rules", total=len(arguments.rules))
        for rules in arguments.rules:
            made = RULES[rules](clips, settings)
            judged[rules] = [judge(clip, passages) for clip, passages in zip(clips, made, strict=True)]
            progress.advance(task)
    rows = [row for rules, each in judged.items() for row in report.figures(rules, each)]
    report.show(rows, Console(width=200))
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_json(rows, judged), indent=1) + "\n")
    if arguments.html:
        rules = arguments.rules[0]
        write_page(arguments.html, rules, judged[rules], arguments.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Keeps speed from rotting: `python -m benchmarks.guard`, about ten seconds.

Each figure is what a part of the hot path costs: the CPU time of a call to that of a bare baseline beside it, or a
count that is exact. Exit status 1 if one is over a fifth more than `guard.json` says it was. See
docs/measurements/performance.md.

    python -m benchmarks.guard --write    # a loss that is wanted, or a gain: note what is now, and commit the file
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.guard.batcher import batcher_figures
from benchmarks.guard.decode import decode_figures
from benchmarks.guard.judge import lost, verdict
from benchmarks.guard.measure import in_memory, measure, one_core
from benchmarks.guard.message import message_figures
from benchmarks.guard.observed import observed_figures
from benchmarks.guard.queue import queue_figures
from benchmarks.guard.write import write_figures

KNOWN = Path(__file__).with_name("guard.json")
PARTS = {
    "queue": queue_figures,
    "observed": observed_figures,
    "message": message_figures,
    "batcher": batcher_figures,
    "decode": decode_figures,
    "write": write_figures,
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    known: dict[str, float] = json.loads(KNOWN.read_text())
    with ExitStack() as stack:
        stack.enter_context(one_core())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sightline-guard-", dir=in_memory())))
        figures = [figure for name in options.only for figure in stack.enter_context(PARTS[name](folder))]
        found = measure(figures, options.rounds)
        if not options.write and (doubtful := lost(figures, found, known)):
            again = measure(doubtful, options.rounds)
            found |= {name: min(value, found[name]) for name, value in again.items()}
    if options.write:
        known |= found
        KNOWN.write_text(json.dumps(known, indent=2) + "\n")
    for figure in figures:
        print(verdict(figure, found[figure.name], known.get(figure.name)))
    return int(bool(lost(figures, found, known)))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.guard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10, help="in one measurement (%(default)s)")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--write", action="store_true", help="note what is measured as what is known")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

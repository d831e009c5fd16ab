"""Does bulk hurt live, and do eight workers what eight can? `python -m benchmarks.lanes [lanes|scaling] [--json FILE]`.

Real Redis, real worker processes, SQLite; the GPU alone is simulated: 20 ms a batch, whatever its size. Ratios are what
counts: each is to a figure of the same round. See docs/measurements/performance.md.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.lanes.lanes import measure_lanes
from benchmarks.lanes.scaling import measure_scaling
from benchmarks.throughput.work import Work
from sightline.local.machine import count_cores


def main() -> int:
    options = _parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the children are ended
    with tempfile.TemporaryDirectory(prefix="sightline-lanes-", ignore_cleanup_errors=True) as name:
        work = Work([], 0, Path(name))
        measure = measure_lanes if options.what == "lanes" else measure_scaling
        rows = measure(work, options)
    table = Table(*rows[0], title=f"{options.what}, {count_cores()} cores, {options.rounds} rounds")
    for row in rows:
        table.add_row(*(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row.values()))
    Console(width=140).print(table)
    if options.json:
        options.json.write_text(json.dumps({"given": _given(options), "rows": rows}, indent=2) + "\n")
    return 0


def _given(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(options).items() if name != "json"}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lanes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="?", choices=("lanes", "scaling"), default="lanes")
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement; medians are printed (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement (%(default)s)")
    parser.add_argument("--live-per-s", type=float, default=30, help="lanes: live frames a second (%(default)s)")
    parser.add_argument("--bulk-jobs", type=int, default=10_000, help="lanes: that wait (%(default)s)")
    parser.add_argument("--bulk-frames", type=int, default=1, help="lanes: of a bulk job (%(default)s)")
    parser.add_argument("--roles", dest="fused", action="store_false", help="lanes: a process a role, not one for all")
    parser.add_argument("--batch", type=int, default=4, help="images in one model call, at most (%(default)s)")
    parser.add_argument("--workers", type=_numbers, default=[1, 2, 4, 8], help="scaling: detect workers (1,2,4,8)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    raise SystemExit(main())

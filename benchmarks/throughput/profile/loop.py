"""Where the CPU time of a frame goes in the plain loop: `python -m benchmarks.throughput.profile.loop [--batch 4]`.

The same clocks in the same models as in `where --models`, so the two tables can be held against each other, step by
step. Run both in the same minutes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.throughput import reader
from benchmarks.throughput.limit import Limit, Split
from benchmarks.throughput.pictures import draw_pictures
from benchmarks.throughput.profile import model_clocks
from benchmarks.throughput.profile.clock import clock, spent_s
from benchmarks.throughput.work import Work
from sightline.local.machine import count_cores

_PICTURES = 16
_REST = "what has no clock"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput.profile.loop", description=__doc__)
    parser.add_argument("--frames", type=int, default=192)
    parser.add_argument("--lanes", type=int, default=count_cores(), help="loops side by side (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of each loop's models (%(default)s)")
    parser.add_argument("--batch", type=int, default=4, help="pictures in one call (%(default)s)")
    options = parser.parse_args()
    _install()
    with tempfile.TemporaryDirectory(prefix="sightline-loop-", ignore_cleanup_errors=True) as name:
        work = Work(draw_pictures(_PICTURES), options.frames, Path(name))
        limit = Limit(work, Split(options.lanes, options.threads, options.batch))
        limit.measure()  # opens the models, and shows them the pictures
        before, began_s = spent_s(), time.process_time()
        limit.measure()
        total_us = (time.process_time() - began_s) / options.frames * 1e6
        steps = {step: (s - before[step]) / options.frames * 1e6 for step, s in spent_s().items()}
    steps = dict(sorted(steps.items(), key=lambda item: -item[1]))
    steps[_REST] = total_us - sum(steps.values())
    print("| step | µs a frame | share |\n| --- | --- | --- |")
    for step, each in steps.items():
        print(f"| {step} | {each:.0f} | {each / total_us:.0%} |")
    print(f"| the plain loop | {total_us:.0f} | |")


def _install() -> None:
    model_clocks.install()
    ours: Any = reader
    clock(ours, "decode", "decode")
    clock(ours, "crop", "crops")
    clock(reader.Table, "insert", "transaction")


if __name__ == "__main__":
    main()

"""Prove that no accepted frame is lost and none is stored twice, whatever dies: `python -m benchmarks.chaos`.

Real processes on a Redis and a database of their own; see docs/measurements/chaos.md. Exit status 1 if a promise was
broken.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.chaos.faults import FAULTS
from benchmarks.chaos.machine.postgres import find_binaries
from benchmarks.chaos.run import Options, missing_faults, run
from benchmarks.chaos.switches import PROTECTIONS
from benchmarks.chaos.verdict import report

#: Fewer frames than this in a round leave nothing to lose.
_FRAMES_PER_FAULT = 64


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=len(FAULTS), help="how many, one a round (%(default)s)")
    parser.add_argument("--frames", type=int, default=2000, help="published in all rounds together (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed: the same frames and faults (%(default)s)")
    parser.add_argument(
        "--questions", type=float, default=0.3, help="share of jobs that are questions and recordings (%(default)s)"
    )
    parser.add_argument("--only", nargs="+", choices=FAULTS, metavar="FAULT", default=[], help=", ".join(FAULTS))
    parser.add_argument("--without", nargs="+", choices=PROTECTIONS, default=[], help="switch protections off")
    parser.add_argument(
        "--database",
        choices=("postgresql", "sqlite"),
        help="PostgreSQL if its programs are there, unless told otherwise",
    )
    parser.add_argument("--json", type=Path, default=Path("chaos.json"), help="where the numbers go (%(default)s)")
    arguments = parser.parse_args()
    if arguments.faults < 1 or arguments.frames < arguments.faults * _FRAMES_PER_FAULT:
        parser.error(f"--frames: at least {_FRAMES_PER_FAULT} for each of {arguments.faults} faults are needed")
    database = arguments.database or ("postgresql" if find_binaries() else "sqlite")
    missing = missing_faults(database)
    if arguments.only and not set(arguments.only) - missing.keys():
        parser.error(f"--only: {'; '.join(f'{name}: {missing[name]}' for name in arguments.only)}")
    if not 0 <= arguments.questions <= 1:
        parser.error(f"--questions: from 0 to 1 expected, got {arguments.questions:g}")
    options = Options(
        arguments.faults,
        arguments.frames,
        arguments.seed,
        tuple(arguments.only),
        tuple(arguments.without),
        database,
        arguments.questions,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the children are ended
    folder = Path(tempfile.mkdtemp(prefix="sightline-chaos-"))
    verdict = run(options, folder, say=lambda line: print(line, flush=True))
    report.show(verdict, options)
    report.write(verdict, options, arguments.json)
    if verdict.violations:
        print(f"logs, journal and database are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

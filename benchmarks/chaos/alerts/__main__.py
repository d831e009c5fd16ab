"""Prove that each fault fires the alerts that it should, and only those: `python -m benchmarks.chaos.alerts`.

Real roles, their real metrics, the real rules; see docs/measurements/chaos.md. Exit status 1 if another one fired, or
one did not.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.chaos.alerts.expected import EXPECTED
from benchmarks.chaos.alerts.run import run
from benchmarks.chaos.faults import OF_FRAMES
from benchmarks.chaos.machine.postgres import find_binaries
from benchmarks.chaos.run import missing_faults


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos.alerts", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=OF_FRAMES, metavar="FAULT", default=[], help=", ".join(OF_FRAMES))
    arguments = parser.parse_args()
    database = "postgresql" if find_binaries() else "sqlite"
    missing = missing_faults(database)
    names = [name for name in arguments.only or OF_FRAMES if name not in missing]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the children are ended
    folder, wrong = Path(tempfile.mkdtemp(prefix="sightline-alerts-")), 0
    for name, found in run(names, folder, database):
        should = EXPECTED[name]
        right = should.holds(found)
        wrong += not right
        print(f"{name:<18} passing: {_listed(found.passing)}; lasting: {_listed(found.lasting)}", flush=True)
        if not right:
            print(f"  WRONG, it should be passing: {_listed(should.passing)}; lasting: {_listed(should.lasting)}")
    if wrong:
        print(f"{wrong} wrong; logs are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"


if __name__ == "__main__":
    raise SystemExit(main())

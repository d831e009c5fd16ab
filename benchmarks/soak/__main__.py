"""Does anything grow? `python -m benchmarks.soak`: half an hour of `sightline up` near its capacity.

Measures how many frames a second it finishes, publishes four fifths of that, and looks at the memory and the open files
of every role. Exit status 1 if one of them grew. See docs/measurements/soak.md.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.soak import report
from benchmarks.soak.machine import Machine
from benchmarks.soak.run import Options, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="under load, warm-up included (%(default)s)")
    parser.add_argument(
        "--with",
        dest="pipelines",
        nargs="+",
        choices=("chat", "transcribe"),
        default=[],
        help="questions and recordings instead of frames, all the time",
    )
    parser.add_argument(
        "--share", type=float, default=0.8, help="of the measured capacity; of the time that is asked (%(default)s)"
    )
    parser.add_argument("--every", type=float, default=5, help="seconds between two looks (%(default)s)")
    parser.add_argument("--models", choices=("stub", "real"), default="stub", help="(%(default)s)")
    parser.add_argument("--json", type=Path, default=Path("soak.json"), help="where the samples go (%(default)s)")
    arguments = parser.parse_args()
    if "transcribe" in arguments.pipelines and not shutil.which("flite"):
        parser.error("--with transcribe: a voice is missing; apt-get install flite")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the children are ended
    pipelines, is_real = tuple(arguments.pipelines), arguments.models == "real"
    options = Options(arguments.minutes, arguments.share, arguments.every, is_real, pipelines)
    with (
        tempfile.TemporaryDirectory(prefix="sightline-soak-", ignore_cleanup_errors=True) as name,
        Machine(Path(name), is_real=is_real, pipelines=pipelines) as machine,
    ):
        result = run(options, machine, say=lambda line: print(line, flush=True))
    rows = report.rows_of(result)
    report.show(rows, result)
    report.write(rows, result, options, arguments.json)
    return any(row["grew"] for row in rows) or bool(result.failed)


if __name__ == "__main__":
    raise SystemExit(main())

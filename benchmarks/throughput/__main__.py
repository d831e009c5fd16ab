"""How near to the machine's limit? `python -m benchmarks.throughput`: the pipeline `plates` against a plain loop.

Every entry reads the same drawn pictures with the same weights. What is printed are ratios to the loop, which is
run right before and after each other entry; absolute figures are this machine's, of this hour. See
docs/measurements/performance.md.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks.throughput import report
from benchmarks.throughput.latency import Latency
from benchmarks.throughput.limit import Limit
from benchmarks.throughput.peers.naive_run import measure_naive
from benchmarks.throughput.peers.peers import PEERS, measure_peer
from benchmarks.throughput.peers.serving import why_not
from benchmarks.throughput.pictures import PLATES, draw_pictures
from benchmarks.throughput.queued import measure_null, measure_sightline
from benchmarks.throughput.samples import Sample, rows_of
from benchmarks.throughput.work import Work
from sightline.local.machine import count_cores

Measure = Callable[[], list[Sample]]
_ENTRIES = ("limit", "naive", "sightline", "null", "latency", *PEERS)
_QUEUED = {"naive": measure_naive, "sightline": measure_sightline, "null": measure_null}
_MAX_PICTURES = 16


def main() -> int:
    options = _parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the children are ended
    with (
        tempfile.TemporaryDirectory(prefix="sightline-throughput-", ignore_cleanup_errors=True) as name,
        _postgres(options) as postgres,
    ):
        pictures = draw_pictures(min(_MAX_PICTURES, max(2, options.frames // 2)), options.plates)
        work = Work(pictures, options.frames, Path(name), postgres, options.peers_python, options.torch_python)
        reasons = {name: why_not(name, packages, options.peers_python) for name, (packages, _) in PEERS.items()}
        missing = {name: why for name, why in reasons.items() if why and name in options.only}
        only = [name for name in options.only if name not in missing]
        notes = [
            f"{count_cores()} cores, {options.frames} frames, medians of {options.rounds} rounds",
            *missing.values(),
        ]
        if "sightline" in only and not postgres:
            notes.append("no PostgreSQL: install the extra `dev`, put `initdb` on the PATH, or give --postgres")
        rounds = _measure(work, only, options.rounds, notes)
    rows = rows_of(rounds)
    if options.plot and (problem := report.plot(options.plot, rows)):
        notes.append(problem)
    report.show(rows, notes)
    if options.json:
        given = {"frames": options.frames, "plates": options.plates, "rounds": options.rounds, "only": options.only}
        report.write(options.json, rows, rounds, notes, given)
    return 0


@contextmanager
def _postgres(options: argparse.Namespace) -> Iterator[str]:
    """The URL that was given, or of a server for this run, which waits for the disk; empty: there are no programs."""
    from tests.integration.storage.postgres import find_binaries, running_server

    binaries = None if options.postgres or "sightline" not in options.only else find_binaries()
    with running_server(binaries, durable=True) if binaries else nullcontext(options.postgres) as url:
        yield url


def _measure(work: Work, only: list[str], count: int, notes: list[str]) -> list[list[Sample]]:
    """Rounds of all entries; the next round begins with the next entry, so that none always comes first."""
    rounds: list[list[Sample]] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("loading", total=count * len(only))
        entries = _open(work, only, notes)
        for number in range(count):
            found: dict[str, list[Sample]] = {}
            for place in range(len(only)):
                name = only[(place + number) % len(only)]
                progress.update(bar, description=f"round {number + 1}: {name}")
                found[name] = entries[name]()
                for sample in found[name]:
                    progress.console.print(f"round {number + 1}: {sample.name}: {sample.value:.1f} {sample.unit}")
                progress.advance(bar)
            rounds.append([sample for name in only for sample in found[name]])
    return rounds


def _open(work: Work, only: list[str], notes: list[str]) -> dict[str, Measure]:
    entries: dict[str, Measure] = {}
    for name in only:
        if name == "limit":
            limit = Limit(work)
            notes.append(f"limit: best of its sweep is {limit.split}")
            entries[name] = limit.measure
            work = replace(work, limit_now=limit.now)  # the first of the entries
        elif name == "latency":
            entries[name] = Latency(work).measure
        elif name in PEERS:
            entries[name] = partial(measure_peer, work, name)
        else:
            entries[name] = partial(_QUEUED[name], work)
    return entries


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--frames", type=_positive, default=192, help="in one measurement (%(default)s)")
    parser.add_argument("--rounds", type=_positive, default=3, help="each with all entries (%(default)s)")
    parser.add_argument("--plates", type=int, choices=PLATES, default=1, help="on each picture (%(default)s)")
    parser.add_argument("--only", type=_names, default=list(_ENTRIES), help=f"some of {','.join(_ENTRIES)}")
    parser.add_argument("--postgres", default="", metavar="URL", help="an empty database (a server of its own)")
    parser.add_argument("--peers-python", type=Path, metavar="PATH", help="an interpreter that has ray and litserve")
    parser.add_argument("--torch-python", type=Path, metavar="PATH", help="an interpreter with ultralytics, for naive")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the ratios; needs matplotlib")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few, give at least 1")
    return number


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(_ENTRIES):
        raise argparse.ArgumentTypeError(
            f"no such entry: {', '.join(sorted(unknown))}; there are {', '.join(_ENTRIES)}"
        )
    return [name for name in _ENTRIES if name in names]


if __name__ == "__main__":
    raise SystemExit(main())

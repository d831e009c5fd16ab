"""The verdict as one table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.chaos.rounds import Round
from benchmarks.chaos.run import Options
from benchmarks.chaos.verdict.verdict import Verdict

_COUNTS = (
    "accepted",
    "refused",
    "lost",
    "duplicated",
    "innocent_dead",
    "repeated_work",
    "events",
    "events_again",
    "acted_twice",
)
_SHOWN_VIOLATIONS = 20


def rows_of(verdict: Verdict) -> list[dict[str, Any]]:
    """One row a kind of fault: sums of counts, median and maximum of times in seconds."""
    by_name: dict[str, list[Round]] = {}
    for this in verdict.rounds:
        by_name.setdefault(this.fault.name, []).append(this)
    return [
        {
            "fault": name,
            "count": len(rounds),
            **{count: sum(getattr(this, count) for this in rounds) for count in _COUNTS},
            **_times("goes_on", (this.goes_on_s for this in rounds)),
            **_times("recovered", (this.recovered_s for this in rounds)),
        }
        for name, rounds in sorted(by_name.items())
    ]


def show(verdict: Verdict, options: Options, console: Console | None = None) -> None:
    console = console or Console(width=200)
    without = f", without {', '.join(options.without)}" if options.without else ""
    table = Table(title=f"{options.faults} faults, {options.frames} frames, seed {options.seed}{without}")
    rows = rows_of(verdict)
    for name in rows[0]:
        table.add_column(
            name.replace("_", " "), justify="left" if name == "fault" else "right", no_wrap=name == "fault"
        )
    for row in [*rows, _totals(verdict)]:
        table.add_row(*("-" if value is None else str(value) for value in row.values()))
    console.print(table)
    for where, ends in [("", verdict.outcomes), *((f" of {name}", ends) for name, ends in verdict.pipelines.items())]:
        console.print(f"ends of accepted frames{where}: " + ", ".join(f"{n} {end}" for end, n in sorted(ends.items())))
    for violation in verdict.violations[:_SHOWN_VIOLATIONS]:
        console.print(f"VIOLATION {violation}")
    if len(verdict.violations) > _SHOWN_VIOLATIONS:
        console.print(f"... and {len(verdict.violations) - _SHOWN_VIOLATIONS} more")
    console.print("every promise was kept" if not verdict.violations else f"{len(verdict.violations)} violations")


def markdown(rows: list[dict[str, Any]]) -> str:
    """The table as documents have it."""
    lines = ["| " + " | ".join(name.replace("_", " ") for name in rows[0]) + " |", "| --- " * len(rows[0]) + "|"]
    lines += ["| " + " | ".join("-" if value is None else str(value) for value in row.values()) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def write(verdict: Verdict, options: Options, path: Path) -> None:
    rounds = [
        {**{name: value for name, value in vars(this).items() if name != "fault"}, "fault": this.fault.name}
        for this in verdict.rounds
    ]
    report = {
        "options": asdict(options),
        "faults": rows_of(verdict),
        "outcomes": verdict.outcomes,
        "pipelines": verdict.pipelines,
        "violations": verdict.violations,
        "rounds": rounds,
    }
    path.write_text(json.dumps(report, indent=2) + "\n")
    path.with_suffix(".md").write_text(markdown([*rows_of(verdict), _totals(verdict)]))


def _totals(verdict: Verdict) -> dict[str, Any]:
    return {
        "fault": "all",
        "count": len(verdict.rounds),
        **{count: sum(getattr(this, count) for this in verdict.rounds) for count in _COUNTS},
        **_times("goes_on", (this.goes_on_s for this in verdict.rounds)),
        **_times("recovered", (this.recovered_s for this in verdict.rounds)),
    }


def _times(name: str, times_s: Iterable[float | None]) -> dict[str, float | None]:
    known = [time_s for time_s in times_s if time_s is not None]
    return {
        f"{name}_p50_s": round(median(known), 2) if known else None,
        f"{name}_max_s": round(max(known), 2) if known else None,
    }

"""The samples as one table, as JSON and, where matplotlib is installed, as a plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.soak.run import Options, Result, Sample

#: The first fifth is warm-up. Of the rest the last quarter is compared with the first.
_WARM_UP = 0.2
_MAX_GROWTH = 0.02


def rows_of(result: Result) -> list[dict[str, Any]]:
    """One row a role: medians of the first and the last quarter after the warm-up, and the most files until then."""
    rows: list[dict[str, Any]] = []
    for role, samples in sorted(result.samples.items()):
        warm = samples[int(len(samples) * _WARM_UP) :]
        first, last = warm[: max(1, len(warm) // 4)], warm[-max(1, len(warm) // 4) :]
        memory = [median(sample.memory for sample in part) / 1e6 for part in (first, last)]
        # A connection more is opened whenever one more job at a time needed it: what matters is what it never had.
        most = max(sample.files for sample in samples[: len(samples) - len(warm) + len(first)])
        files = median(sample.files for sample in last)
        resident = median(sample.rss for sample in first) / 1e6
        growth, restarts = (memory[1] - memory[0]) / resident, result.restarts.get(role, 0)
        rows.append(
            {
                "role": role,
                "resident_mb": round(resident, 1),
                "memory_mb_at_first": round(memory[0], 1),
                "memory_mb_at_last": round(memory[1], 1),
                "growth_percent": round(100 * growth, 1),
                "mb_per_hour": round(_slope(warm), 1),
                "most_files_at_first": most,
                "files_at_last": files,
                "restarts": restarts,
                "grew": growth > _MAX_GROWTH or files > most or restarts > 0,
            }
        )
    return rows


def show(rows: Sequence[dict[str, Any]], result: Result, console: Console | None = None) -> None:
    console = console or Console(width=150)
    table = Table(*(name.replace("_", " ") for name in rows[0]))
    for row in rows:
        table.add_row(*(_text(value) for value in row.values()))
    console.print(table)
    total = sum(row["resident_mb"] for row in rows)
    console.print(
        f"{total:.0f} MB resident in all roles, shared libraries counted in each\n"
        f"{_work(result)}, {result.failed_visits} visits failed, {result.events} events received"
    )


def _work(result: Result) -> str:
    if not result.asked:
        pace = f"capacity {result.capacity:.0f}, offered {result.offered:.1f}, finished {result.finished:.1f}"
        return f"frames/s: {pace}\n{result.refused} frames refused"
    ends = ", ".join(f"{count} {end}" for end, count in sorted(result.asked.items()))
    failed = ", ".join(f"{count} of {why}" for why, count in result.failed.items())
    return f"questions and recordings: {ends}, {sum(result.failed.values())} failed {failed}".rstrip()


def write(rows: Sequence[dict[str, Any]], result: Result, options: Options, path: Path) -> None:
    path.write_text(json.dumps({"options": asdict(options), "roles": rows, **asdict(result)}) + "\n")
    _plot(result, path.with_suffix(".png"))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _slope(samples: Sequence[Sample]) -> float:
    """Of the line that fits best, MB an hour."""
    count = len(samples)
    mean_s, mean_memory = sum(one.at_s for one in samples) / count, sum(one.memory for one in samples) / count
    spread = sum((one.at_s - mean_s) ** 2 for one in samples)
    if not spread:
        return 0.0
    return sum((one.at_s - mean_s) * (one.memory - mean_memory) for one in samples) / spread * 3600 / 1e6


def _plot(result: Result, path: Path) -> None:
    try:
        from matplotlib.figure import Figure  # pyright: ignore
    except ImportError:
        print("no plot: matplotlib is not installed")
        return
    figure: Any = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for role, samples in sorted(result.samples.items()):
        minutes = [sample.at_s / 60 for sample in samples]
        axes[0].plot(minutes, [sample.memory / 1e6 for sample in samples], label=role)
        axes[1].plot(minutes, [sample.files for sample in samples], label=role)
    axes[0].set(ylabel="memory, MB", ylim=(0, None))
    axes[1].set(ylabel="open files", xlabel="minutes", ylim=(0, None))
    axes[0].legend(ncols=3, fontsize="small")
    figure.savefig(path, dpi=110)

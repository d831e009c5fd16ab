"""The table, JSON and, where matplotlib is installed, a plot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.throughput.samples import Row, Sample

_COLORS = {"limit": "#444444", "naive": "#b04a3a", "sightline": "#1f6fb2"}
_PEER_COLOR = "#c08a2d"
_HEADINGS = ("what", "value", "", "ratio", "of the rounds", "is to", "CPU ms a frame", "of which", "plates a frame")


def show(rows: Sequence[Row], notes: Sequence[str], console: Console | None = None) -> None:
    console = console or Console(width=170)
    table = Table(*_HEADINGS)
    for row in rows:
        table.add_row(*cells_of(row))
    console.print(table)
    for note in notes:
        console.print(note, markup=False, highlight=False)


def cells_of(row: Row) -> list[str]:
    """One line of the table, as text."""
    spread = "" if row.lowest is None or row.highest is None else f"{row.lowest:.2f} to {row.highest:.2f}"
    cpu = [f"{role} {_short(ms)}" for role, ms in row.cpu_ms.items() if len(row.cpu_ms) > 1]
    return [
        row.name,
        _short(row.value),
        row.unit,
        "" if row.ratio is None else f"{row.ratio:.2f}",
        spread,
        row.baseline if row.baseline != row.name else "itself",
        _short(sum(row.cpu_ms.values())) if row.cpu_ms else "",
        ", ".join(cpu),
        "" if row.readings is None else f"{row.readings:.2f}",
    ]


def write(
    path: Path,
    rows: Sequence[Row],
    rounds: Sequence[Sequence[Sample]],
    notes: Sequence[str],
    options: Mapping[str, Any],
) -> None:
    """Everything that was measured."""
    content = {
        "options": dict(options),
        "notes": list(notes),
        "rows": [asdict(row) for row in rows],
        "rounds": [[asdict(sample) for sample in samples] for samples in rounds],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


def plot(path: Path, rows: Sequence[Row]) -> str:
    """Bars of the ratios of what reads plates, with the range of the rounds. Returns why there is none, or ""."""
    try:
        from matplotlib.figure import Figure  # pyright: ignore
    except ImportError:
        return "no plot: matplotlib is not installed"
    shown = [row for row in rows if row.readings is not None and row.ratio is not None]
    figure: Any = Figure(figsize=(9, 1 + 0.4 * len(shown)), layout="constrained")
    axes = figure.subplots()
    ratios = [row.ratio or 0.0 for row in shown]
    down = [ratio - (row.lowest or 0.0) for ratio, row in zip(ratios, shown, strict=True)]
    up = [(row.highest or 0.0) - ratio for ratio, row in zip(ratios, shown, strict=True)]
    names = [row.name for row in shown]
    colors = [_COLORS.get(name.partition(",")[0], _PEER_COLOR) for name in names]
    bars = axes.barh(names, ratios, xerr=[down, up], capsize=3, color=colors, ecolor="#555555")
    axes.bar_label(bars, [f"{row.value:.1f}/s" for row in shown], label_type="center", color="white", fontsize=8)
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(xlabel="frames/s, ratio to the limit of the same round", xlim=(0, None))
    figure.savefig(path, dpi=110)
    return ""


def _short(value: float) -> str:
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 3}f}"

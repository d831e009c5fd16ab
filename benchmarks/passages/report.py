"""The figures of rules over clips, as one table and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.accuracy.metrics import Bin, Share, calibration_error, reliability, wilson
from benchmarks.accuracy.report import percent, plain
from benchmarks.passages.clips import RATES, scenarios
from benchmarks.passages.judge import Judged

_KINDS = {"all clear": "clear", "all hard": "hard", "all photos": "photos"}


class Figures(NamedTuple):
    """Of one part of the clips under some rules. Shares are of vehicles, but `perfect`."""

    rules: str
    part: str
    clips: int
    vehicles: int
    read: Share  #: right at least once
    right: Share  #: one passage with its plate
    right_of_read: Share
    right_of_mostly_read: Share  #: of those of which nothing was read more often than the plate
    swallowed: int
    split: int
    passages: int
    invented: int
    false: int
    perfect: Share  #: clips without any fault
    calibration_error: float | None
    bins: list[Bin]


def figures(rules: str, judged: Sequence[Judged]) -> Iterator[Figures]:
    """By scenario, by kind, by frame rate, then all together."""
    for scenario in scenarios():
        yield from _of_part(rules, scenario, [one for one in judged if one.clip.scenario == scenario])
    for part, kind in _KINDS.items():
        yield from _of_part(rules, part, [one for one in judged if one.clip.kind == kind])
    for fps in RATES:
        clear = [one for one in judged if one.clip.kind == "clear" and one.clip.fps == fps]
        yield from _of_part(rules, f"clear, {fps} fps", clear)
    yield from _of_part(rules, "all", judged)


def _of_part(rules: str, part: str, judged: Sequence[Judged]) -> Iterator[Figures]:
    if not judged:
        return
    vehicles = [vehicle for one in judged for vehicle in one.vehicles]
    read = [vehicle for vehicle in vehicles if vehicle.was_read]
    mostly = [vehicle for vehicle in vehicles if vehicle.was_mostly_read]
    said = [pair for one in judged for pair in one.said]
    bins = reliability([confidence for confidence, _ in said], [right for _, right in said])
    yield Figures(
        rules=rules,
        part=part,
        clips=len(judged),
        vehicles=len(vehicles),
        read=wilson(len(read), len(vehicles)),
        right=wilson(sum(vehicle.is_right for vehicle in vehicles), len(vehicles)),
        right_of_read=wilson(sum(vehicle.is_right for vehicle in read), len(read)),
        right_of_mostly_read=wilson(sum(vehicle.is_right for vehicle in mostly), len(mostly)),
        swallowed=sum(vehicle.is_swallowed for vehicle in vehicles),
        split=sum(vehicle.is_split for vehicle in vehicles),
        passages=sum(len(one.passages) for one in judged),
        invented=sum(len(one.invented) for one in judged),
        false=sum(len(one.false) for one in judged),
        perfect=wilson(sum(one.is_perfect for one in judged), len(judged)),
        calibration_error=calibration_error(bins),
        bins=bins,
    )


def show(rows: Sequence[Figures], console: Console) -> None:
    """A line a part, the rules beside each other; below, how far confidences can be trusted."""
    by_part: dict[str, dict[str, Figures]] = {}
    for row in rows:
        by_part.setdefault(row.part, {})[row.rules] = row
    rules = list(dict.fromkeys(row.rules for row in rows))
    table = Table(title="vehicles that are one passage with its plate, in % [95 % interval]", title_justify="left")
    table.add_column("clips of", no_wrap=True)
    for heading in ("clips", "vehicles", "read right\nonce"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in rules:
        table.add_column(f"{name}", justify="right", no_wrap=True)
        table.add_column("swallowed, split,\ninvented, false", justify="right", no_wrap=True)
    for part, each in by_part.items():
        if part in ("all clear", f"clear, {RATES[0]} fps", "all"):
            table.add_section()
        first = each[rules[0]]
        faults = [
            cell
            for row in each.values()
            for cell in (percent(row.right), f"{row.swallowed} {row.split} {row.invented} {row.false}")
        ]
        table.add_row(part, str(first.clips), str(first.vehicles), percent(first.read), *faults)
    console.print(table)
    for row in rows:
        if row.part in _KINDS:
            error = "-" if row.calibration_error is None else f"{row.calibration_error:.3f}"
            bins = "; ".join(f"{each.low:.1f}: {each.right:.0%} of {each.size}" for each in row.bins)
            mostly = f"of those mostly read right {percent(row.right_of_mostly_read)} are right"
            console.print(
                f"{row.rules}, {row.part}: {mostly}; ECE {error}; right by confidence: {bins}", soft_wrap=True
            )


def as_json(rows: Sequence[Figures], judged: Mapping[str, Sequence[Judged]]) -> dict[str, Any]:
    """All figures, (confidence, right) of every passage, and the fate of every vehicle."""
    return {
        "figures": [plain(row._asdict() | {"bins": [each._asdict() for each in row.bins]}) for row in rows],
        "said": {
            rules: {
                kind: [pair for one in each if one.clip.kind == kind for pair in one.said] for kind in _KINDS.values()
            }
            for rules, each in judged.items()
        },
        "clips": [_clip(rules, one) for rules, each in judged.items() for one in each],
    }


def _clip(rules: str, one: Judged) -> dict[str, Any]:
    return {
        "rules": rules,
        "number": one.clip.number,
        "scenario": one.clip.scenario,
        "fps": one.clip.fps,
        "vehicles": [
            {
                "vehicle": vehicle.name,
                "plate": vehicle.plate,
                "was_read": vehicle.was_read,
                "is_right": vehicle.is_right,
                "passages": [[passage.text, round(passage.confidence, 3)] for passage in vehicle.passages],
            }
            for vehicle in one.vehicles
        ],
        "invented": [passage.text for passage in one.invented],
        "false": [passage.text for passage in one.false],
    }

"""`python -m benchmarks.throughput` runs from end to end. What it measures is not judged: machines differ."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def test_it_measures_and_prints_a_table(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    options = ["--frames", "16", "--rounds", "1", "--only", "limit,null", "--json", str(figures)]
    command = [sys.executable, "-m", "benchmarks.throughput", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(figures.read_text())["rows"]}
    assert set(rows) == {"limit", "null, 3 roles, per process", "null, 1 process, per process", "pixels of a frame"}
    assert all(row["ratio"] > 0 for row in rows.values())
    assert rows["limit"]["readings"] > 0.5
    assert set(rows["null, 3 roles, per process"]["cpu_ms"]) == {"publish", "redis", "detect", "ocr", "write"}
    assert all(name in done.stdout for name in rows)


@pytest.mark.parametrize("options", [["--frames", "128"], ["--models", "--frames", "32"]])
def test_it_tells_where_the_time_goes(options: list[str]) -> None:
    command = [sys.executable, "-m", "benchmarks.throughput.profile.where", *options]
    costs = _costs(command)
    steps = [
        int(cost)
        for name, cost in costs.items()
        if name not in ("step", "---", "the worker process", "publish", "Redis")
    ]
    assert len(steps) > 15
    assert abs(sum(steps) - int(costs["the worker process"])) <= len(steps)  # they add up, but for rounding


def test_it_tells_where_the_time_of_the_plain_loop_goes() -> None:
    costs = _costs([sys.executable, "-m", "benchmarks.throughput.profile.loop", "--frames", "16"])
    total = int(costs.pop("the plain loop"))
    steps = [int(cost) for name, cost in costs.items() if name not in ("step", "---")]
    assert len(steps) > 8
    assert abs(sum(steps) - total) <= len(steps)


def _costs(command: list[str]) -> dict[str, str]:
    """Microseconds by step, of the table that is printed."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return {
        cells[1].strip(): cells[2].strip() for line in done.stdout.splitlines() if len(cells := line.split("|")) > 3
    }


def test_an_unknown_entry_is_named() -> None:
    command = [sys.executable, "-m", "benchmarks.throughput", "--only", "limit,fast"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "no such entry: fast; there are limit, naive, sightline, null, latency" in done.stderr

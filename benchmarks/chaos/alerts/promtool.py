"""Which alerts of the real rules fire at given samples: asked of Prometheus' promtool."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.chaos.alerts.scrapes import RULES, TICK_S, Sample

#: Prometheus' word for a series that a process does not say any more.
_STALE, _MISSING = "stale", "_"


def fired(ticks: Sequence[Sample]) -> set[str]:
    """The names of the alerts that fire at any time.

    Raises:
        RuntimeError: promtool said something else.
    """
    seconds = round(len(ticks) * TICK_S)
    names = sorted({series for tick in ticks for series in tick})
    ask = {
        "expr": f'count by (alertname) (count_over_time(ALERTS{{alertstate="firing"}}[{seconds}s]))',
        "eval_time": f"{seconds}s",
        "exp_samples": [],
    }
    test = {
        "interval": f"{TICK_S:g}s",
        "input_series": [{"series": name, "values": " ".join(_values(name, ticks))} for name in names],
        "promql_expr_test": [ask],
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "test.yml"
        file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": [test]}))
        done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    alerts = set(re.findall(r'alertname="(\w+)"', done.stdout + done.stderr))
    if done.returncode and not alerts:
        raise RuntimeError(f"promtool: {done.stdout}{done.stderr}")
    return alerts


def _values(series: str, ticks: Sequence[Sample]) -> Iterable[str]:
    was_there = False
    for tick in ticks:
        value = tick.get(series)
        if value is None:
            yield _STALE if was_there else _MISSING
        else:
            yield f"{value:.3f}".rstrip("0").rstrip(".")
        was_there = value is not None

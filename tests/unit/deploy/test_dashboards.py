"""The dashboards that Grafana reads are those that are written in Python, and each fits its screen."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deploy.dashboards import DASHBOARDS, FOLDER
from deploy.grafana import Dashboard, as_json

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.uid)
def test_a_dashboard_is_as_it_is_written(dashboard: Dashboard) -> None:
    assert (FOLDER / f"{dashboard.uid}.json").read_text() == as_json(dashboard), "run `python -m deploy.dashboards`"


def test_grafana_reads_no_others() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {dashboard.uid for dashboard in DASHBOARDS}


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda one: one.uid)
def test_panels_stand_beside_each_other_and_none_on_another(dashboard: Dashboard) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(as_json(dashboard))["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_metric_of_a_panel_is_in_the_documentation() -> None:
    known = (ROOT / "docs/how-to/watch.md").read_text()
    metrics = {
        name for one in DASHBOARDS for name in re.findall(r"sightline_\w+?(?=_bucket|_count|_sum|\W)", as_json(one))
    }
    assert len(metrics) > 30
    assert {name for name in metrics if name not in known} == set()

"""Dashboards of Grafana as lines of Python: what is asked, and its JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

#: The time over which Grafana wants rates to be taken.
RATE: Final = "$__rate_interval"
_SOURCE: Final = {"type": "prometheus", "uid": "sightline"}


@dataclass(frozen=True)
class Panel:
    """A query each line, as (expression, legend)."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    width: int = 12  #: of 24
    kind: str = "timeseries"
    description: str = ""


@dataclass(frozen=True)
class Dashboard:
    uid: str
    title: str
    panels: tuple[Panel, ...]
    variable: tuple[str, str] | None = None  #: its name, and the metric whose label of that name it takes


def stat(title: str, expression: str, unit: str = "short", description: str = "") -> Panel:
    return Panel(title, ((expression, ""),), unit, 4, "stat", description)


def quantile(q: float, metric: str, by: str, where: str = "") -> str:
    return f"histogram_quantile({q}, sum by (le, {by}) (rate({metric}_bucket{where}[{RATE}])))"


def as_json(dashboard: Dashboard) -> str:
    """A dashboard as Grafana reads it."""
    return json.dumps(_model(dashboard), indent=1) + "\n"


def _model(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["sightline"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["sightline"], "title": "Sightline", "asDropdown": False}],
        "templating": {"list": [_variable(*dashboard.variable)] if dashboard.variable else []},
        "panels": _placed(dashboard.panels),
    }


def _variable(name: str, metric: str) -> dict[str, Any]:
    query = f"label_values({metric}, {name})"
    return {
        "name": name,
        "label": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
    }


def _placed(panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    """From left to right, then the next row."""
    placed: list[dict[str, Any]] = []
    x = y = 0
    for number, panel in enumerate(panels, 1):
        height = 4 if panel.kind == "stat" else 8
        if x + panel.width > 24:
            x, y = 0, y + int(placed[-1]["gridPos"]["h"])
        placed.append(_panel(number, panel, {"x": x, "y": y, "w": panel.width, "h": height}))
        x += panel.width
    return placed


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(panel.queries)
        ],
    }

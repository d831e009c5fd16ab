"""`sightline workers`: which processes work, on what, where, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sightline.celery.app import ABOUT, create_app
from sightline.cli.output import JsonFlag, print_rows
from sightline.cli.queries import Data, settings_for
from sightline.delivery.broker import Broker

_WITHIN_S: Final = 2.0
_MB: Final = 1_000_000


def workers(as_json: JsonFlag = False, data: Data = None) -> None:
    """Which worker processes answer: their stages, models, devices, what they hold, and their memory. Asks the broker.

    A line is a stage of a process. Threads, held messages and memory are of the process: its stages share them.
    """
    told = Broker(create_app(settings_for(data))).ask_workers(ABOUT, within_s=_WITHIN_S)
    columns = {
        "worker": "worker",
        "stage": "stage",
        "models": "models",
        "device": "device",
        "precision": "precision",
        "concurrency": "bulk at once",
        "waiting_items": "items waiting",
        "threads": "threads",
        "held_messages": "held",
        "memory_mb": "memory MB",
        "memory_limit_mb": "limit MB",
        "version": "version",
    }
    rows = [row for name, about in sorted(told.items()) for row in _rows(name, about)]
    if not as_json:
        rows = [row | {"models": ", ".join(_spelled(model) for model in row["models"])} for row in rows]
    print_rows(rows, columns, as_json=as_json, empty=f"no worker answered within {_WITHIN_S:g} s")


def _rows(worker: str, about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A stage each; one of an older version tells of none."""
    common = {name: about.get(name) for name in ("threads", "held_messages", "version")}
    for name in ("memory", "memory_limit"):
        size = about.get(f"{name}_bytes")
        common[f"{name}_mb"] = None if size is None else round(size / _MB)
    nothing = {"stage": None, "models": [], "device": None, "precision": None, "concurrency": None}
    for stage in about.get("stages") or [nothing | {"waiting_items": None}]:
        yield {"worker": worker, **stage, **common}


def _spelled(model: Mapping[str, str]) -> str:
    return model["name"] if model["name"] == model["runtime"] else f"{model['name']} ({model['runtime']})"

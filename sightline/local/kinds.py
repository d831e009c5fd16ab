"""The kinds of worker processes that one machine runs, and how many of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sightline.errors import SettingsError
from sightline.local.scaling import Limits
from sightline.pipelines import registry
from sightline.settings import WorkerSettings

#: In the data folder while an autoscaler runs: how many there are of each kind, and why.
TOLD: Final = "workers.json"


@dataclass(frozen=True)
class Kind:
    """Workers that do the same. `names` are those of all processes that there may be; the first `starts` begin."""

    name: str
    roles: Sequence[str]
    names: Sequence[str]
    starts: int
    limits: Limits

    @property
    def queues(self) -> list[str]:
        return [registry().roles[role] for role in self.roles]


@dataclass(frozen=True)
class Elastic:
    """How many workers of each kind there may be, as `sightline up` is told."""

    least: int
    most: int
    cores: float
    idle_s: float


def kinds_of(workers: Mapping[str, Sequence[str]], settings: WorkerSettings, elastic: Elastic | None) -> list[Kind]:
    """Those of some processes, given as the roles of each by its name: `worker0`, `detect1`.

    Raises:
        SettingsError: more or fewer are given than there may be.
    """
    given: dict[str, list[str]] = {}
    for name in workers:
        given.setdefault(name.rstrip("0123456789"), []).append(name)
    return [_kind(kind, names, workers[names[0]], settings, elastic) for kind, names in given.items()]


def _kind(name: str, given: list[str], roles: Sequence[str], settings: WorkerSettings, elastic: Elastic | None) -> Kind:
    count, holds = len(given), settings.concurrency(roles)
    if elastic is None:
        return Kind(name, roles, given, count, Limits(count, count, holds))
    if elastic.least > elastic.most:
        raise SettingsError(f"--worker-min: {elastic.least} given; it is at most --worker-max, which is {elastic.most}")
    if count > elastic.most:
        raise SettingsError(f"--worker-max: {elastic.most} given, and --worker says {count} of {name!r}; give {count}")
    limits = Limits(elastic.least, elastic.most, holds, elastic.cores, elastic.idle_s)
    names = [f"{name}{number}" for number in range(elastic.most)]
    return Kind(name, roles, names, max(count, elastic.least), limits)


def read_told(file: Path) -> Mapping[str, Mapping[str, Any]]:
    """What an autoscaler that runs says of its kinds of workers; empty where none runs."""
    with suppress(OSError, ValueError):
        told = json.loads(file.read_text())
        return told if isinstance(told, dict) else {}
    return {}

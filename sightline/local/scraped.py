"""Where Prometheus finds the processes of one machine: each on a port of its own, all of them in one file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from sightline.local.supervisor import RoleProcess
from sightline.settings import PREFIX

#: Not ours, or nothing of its own to say.
_SILENT: Final = ("redis", "flower")
_PORT: Final = PREFIX + "METRICS_PORT"


def with_metrics_ports(roles: Iterable[RoleProcess], first: int) -> list[RoleProcess]:
    """The same roles; those that serve metrics do so on `first` and the ports after it. 0: none does."""
    ports = iter(range(first, 65536))
    return [
        replace(role, environment={**role.environment, _PORT: str(next(ports))})
        if first and role.name not in _SILENT
        else role
        for role in roles
    ]


def ports_of(roles: Iterable[RoleProcess]) -> dict[str, int]:
    """The port of each role that serves metrics, by the name of its process."""
    return {role.name: int(role.environment[_PORT]) for role in roles if _PORT in role.environment}


def write_targets(path: Path, roles: Sequence[RoleProcess], host: str) -> None:
    """For Prometheus' `file_sd_configs`. Without metrics a file of an earlier start is taken away."""
    if not (ports := ports_of(roles)):
        path.unlink(missing_ok=True)
        return
    targets = [{"targets": [f"{host}:{port}"], "labels": {"process": name}} for name, port in ports.items()]
    path.write_text(json.dumps(targets, indent=2) + "\n")

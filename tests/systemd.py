"""The units of `deploy/systemd`, read as far as tests need them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy/systemd"
BIN = "/opt/sightline/.venv/bin/"


class Unit(NamedTuple):
    name: str  #: `worker`, `redis@`
    values: dict[str, list[str]]

    @property
    def command(self) -> list[str]:
        """As systemd runs it: `%%` is `%`."""
        (line,) = self.values["ExecStart"]
        return shlex.split(line.replace("%%", "%"))

    @property
    def users_files(self) -> list[str]:
        """Names of the environment files that must be there."""
        return [Path(value).name for value in self.values["EnvironmentFile"] if not value.startswith("-")]


def read_units() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for path in sorted(FOLDER.glob("*.service")):
        values: dict[str, list[str]] = {}
        for line in path.read_text().splitlines():
            name, is_value, value = line.partition("=")
            if is_value and not line.startswith("#"):
                values.setdefault(name, []).append(value)
        name = path.stem.removeprefix("sightline-")
        units[name] = Unit(name, values)
    return units

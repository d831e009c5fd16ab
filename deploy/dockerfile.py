"""Reads a Dockerfile into stages and steps: as much of the syntax as ours uses, and loud about the rest."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

DOCKERFILE = Path(__file__).parent / "Dockerfile"

_KNOWN = {"FROM", "RUN", "COPY", "ENV", "WORKDIR", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"}
_FROM = re.compile(r"^(?P<base>\S+)(?:\s+AS\s+(?P<name>\S+))?$", re.IGNORECASE)


@dataclass(frozen=True)
class Step:
    """One instruction. `flags` are its leading `--name=value`, without the dashes."""

    instruction: str
    arguments: str
    flags: dict[str, str] = field(default_factory=dict)

    @property
    def exec_form(self) -> list[str] | None:
        """The command as a list, if it is written as a JSON array."""
        text = self.arguments.removeprefix("CMD").strip() if self.instruction == "HEALTHCHECK" else self.arguments
        return json.loads(text) if text.startswith("[") else None


@dataclass(frozen=True)
class Stage:
    name: str
    base: str
    steps: tuple[Step, ...]

    def last(self, instruction: str) -> Step | None:
        """The step that counts, where the last one wins (CMD, USER, HEALTHCHECK)."""
        return next((step for step in reversed(self.steps) if step.instruction == instruction), None)


def read_stages(path: Path = DOCKERFILE) -> dict[str, Stage]:
    """All stages by name, in order.

    Raises:
        ValueError: a line this reader does not know.
    """
    stages: dict[str, Stage] = {}
    name, base = "", ""
    for number, line in _logical_lines(path.read_text()):
        instruction, _, rest = line.partition(" ")
        if instruction not in _KNOWN or not rest.strip():
            raise ValueError(f"{path}:{number}: cannot read {line[:60]!r}")
        if instruction == "FROM":
            match = _FROM.match(rest.strip())
            if not match or not match["name"]:
                raise ValueError(f"{path}:{number}: every stage needs a name")
            name, base = match["name"], match["base"]
            stages[name] = Stage(name, base, ())
            continue
        step = _step(instruction, rest.strip())
        stages[name] = Stage(name, base, (*stages[name].steps, step))
    return stages


def lineage(stages: dict[str, Stage], target: str) -> list[Stage]:
    """The stages that make up `target`, its outermost base first. Raises KeyError for an unknown target."""
    stage = stages[target]
    return [*(lineage(stages, stage.base) if stage.base in stages else []), stage]


def environment(step: Step) -> dict[str, str]:
    """The variables of an ENV step."""
    return dict(pair.split("=", 1) for pair in shlex.split(step.arguments))


def _step(instruction: str, rest: str) -> Step:
    flags: dict[str, str] = {}
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        flag_name, _, value = flag[2:].partition("=")
        flags[flag_name], rest = value, rest.strip()
    return Step(instruction, rest, flags)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines with continuations joined and comments left out, each with its number."""
    lines: list[tuple[int, str]] = []
    joined, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        start = start or number
        joined += line.strip().removesuffix("\\")
        if not line.rstrip().endswith("\\"):
            lines.append((start, joined))
            joined, start = "", 0
    return lines

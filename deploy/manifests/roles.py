"""The roles of docker-compose.yml as Kubernetes needs them: image, command, environment, secrets, probe, volumes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.dockerfile import Stage, lineage, read_stages
from sightline.pipelines import StageSpec, registry
from sightline.settings import Settings

ROOT: Final = Path(__file__).parents[2]
_REQUIRED: Final = re.compile(r"\$\{(\w+):\?[^}]*\}")
_DEFAULT: Final = re.compile(r"\$\{\w+:-([^}]*)\}")
#: Where a role connects to, by the host in its addresses.
STORES: Final = ("redis", "frames", "postgres")
_CLOSING_S: Final = 15  #: from the end of the last stage to that of the process
#: An answer comes piece by piece; its worker holds as many as it has threads, and says the last to its end.
_STREAM_S: Final = 300


@dataclass(frozen=True)
class Probe:
    """The health check of an image or a service."""

    command: tuple[str, ...]
    start_s: int
    every_s: int
    timeout_s: int
    retries: int

    @property
    def url(self) -> tuple[int, str] | None:
        """Port and path, where it asks over HTTP."""
        found = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", " ".join(self.command))
        return (int(found[1]), found[2]) if found else None


@dataclass(frozen=True)
class Role:
    """A service of ours. `environment` names secrets as `$(NAME)`, and `secrets` are these names."""

    name: str
    image: str
    profile: str  #: empty: every installation has it
    command: tuple[str, ...]
    environment: Mapping[str, str]
    probe: Probe | None  #: None: it ends by itself
    volumes: Mapping[str, str]  #: the path of each by its name
    gpus: int
    compose_grace_s: int

    @property
    def secrets(self) -> list[str]:
        return sorted({name for value in self.environment.values() for name in re.findall(r"\$\((\w+)\)", value)})

    @property
    def talks_to(self) -> list[str]:
        """The stores in its addresses."""
        hosts = {host for value in self.environment.values() for host in re.findall(r"@([\w-]+):\d+", value)}
        return [store for store in STORES if store in hosts]

    @property
    def queues(self) -> list[str]:
        """What it consumes; none, if it is no worker."""
        return self.command[self.command.index("-Q") + 1].split(",") if "-Q" in self.command else []

    @property
    def holds(self) -> int:
        """Bulk messages a worker holds at once."""
        return int(self.command[self.command.index("-c") + 1])

    @property
    def stages(self) -> list[StageSpec]:
        return [stage for stage in registry().stages.values() if stage.queue in self.queues]

    @property
    def may_be_none(self) -> bool:
        """Whether nobody waits for it in person: its stages start on demand, and say nothing while they work."""
        return bool(self.stages) and all(stage.on_demand and not stage.streams for stage in self.stages)

    @property
    def grace_s(self) -> int:
        """From being told to end until it is killed: what its longest stage may take, and closing."""
        if not self.stages:
            return self.compose_grace_s
        model_s = float(Settings.model_fields["model_timeout_s"].default)
        longest_s = max(_STREAM_S if stage.streams else stage.held_s or model_s for stage in self.stages)
        return max(self.compose_grace_s, int(longest_s) + _CLOSING_S)


@cache
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@cache
def roles() -> tuple[Role, ...]:
    """Every service that is built here, in the order of docker-compose.yml."""
    stages = read_stages()
    return tuple(_role(name, its, stages) for name, its in compose()["services"].items() if "build" in its)


def filled(value: object) -> str:
    """A value of compose with defaults in place; `${NAME:?…}` becomes `$(NAME)`, which Kubernetes fills in."""
    return _DEFAULT.sub(r"\1", _REQUIRED.sub(r"$(\1)", str(value)))


def is_choice(value: object) -> bool:
    """Whether a value is nothing but a variable of `.env` that may be left out: here that is one of the settings of
    all roles, which a value in the manifest would outdo."""
    return _DEFAULT.fullmatch(str(value)) is not None


def _role(name: str, service: dict[str, Any], stages: Mapping[str, Stage]) -> Role:
    target = service["build"]["target"]
    command = service.get("command") or _last(stages, target, "CMD").exec_form
    mounted = (volume.split(":") for volume in service.get("volumes", []) if volume[0] not in "$./")
    devices = service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
    return Role(
        name=name,
        image=service["image"],
        profile=next(iter(service.get("profiles", [])), ""),
        command=tuple(map(filled, command)),
        environment={
            key: filled(value) for key, value in service.get("environment", {}).items() if not is_choice(value)
        },
        probe=_probe(service, stages, target),
        volumes={volume: path for volume, path, *_ in mounted},
        gpus=sum(device["count"] for device in devices),
        compose_grace_s=seconds(service["stop_grace_period"]),
    )


def _probe(service: dict[str, Any], stages: Mapping[str, Stage], target: str) -> Probe | None:
    check = service.get("healthcheck", {})
    if check.get("disable"):
        return None
    if check:
        command, flags = check["test"][1:], check
    else:
        step = _last(stages, target, "HEALTHCHECK")
        command = step.exec_form
        flags = {flag.replace("-", "_"): value for flag, value in step.flags.items()}
    times = [seconds(flags[flag]) for flag in ("start_period", "interval", "timeout")]
    return Probe(tuple(command), *times, retries=int(flags["retries"]))


def _last(stages: Mapping[str, Stage], target: str, instruction: str) -> Any:
    found = [step for stage in lineage(dict(stages), target) if (step := stage.last(instruction))]
    return found[-1]


def seconds(text: str) -> int:
    """`60s` as a number."""
    return int(text.removesuffix("s"))

"""`python -m deploy.run_steps TARGET ...`: build targets of the Dockerfile without Docker, as far as that goes.

For machines (and test runs) without a container runtime. The RUN steps are really executed, in an empty virtual
environment in place of the image's Python; COPY copies; `/app`, `/src`, `/data` and `/tmp` become folders of a
temporary one. Steps that need root are named and left out. In the end every command that the Dockerfile or
docker-compose.yml starts in this target must load what it needs, a worker also its stages and models. What is not
covered: the base image itself, the user, and a read-only root.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import yaml

from deploy.dockerfile import Stage, Step, environment, lineage, read_stages

ROOT = Path(__file__).parent.parent
_NEEDS_ROOT = ("useradd", "apt-get", "install -d -o")
_IMAGE_PATH = re.compile(r"(?<![\w./])/(app|src|data|tmp)(?![\w])")


class Builder:
    """Executes the stages of one target in `folder`."""

    def __init__(self, stages: dict[str, Stage], target: str, folder: Path) -> None:
        self._stages = stages
        self._folder = folder
        self._target = target
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SIGHTLINE_", "PYTHON", "VIRTUAL_ENV"))
            and name not in ("REDIS_URL", "DATABASE_URL")
        }
        self._workdir = folder

    def build(self) -> None:
        for name in ("app", "src", "data", "tmp"):
            (self._folder / name).mkdir(parents=True)
        venv.create(self._folder / "venv", with_pip=True)
        self._environment["PATH"] = f"{self._folder / 'venv/bin'}:{os.environ['PATH']}"
        for stage in lineage(self._stages, self._target):
            for step in stage.steps:
                self._execute(step)

    def run(self, command: list[str]) -> None:
        """Raises CalledProcessError when it fails."""
        done = subprocess.run(
            command,
            cwd=self._workdir,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            print(done.stdout)
            done.check_returncode()

    def _execute(self, step: Step) -> None:
        if step.instruction == "ENV":
            self._environment |= {name: self._here(value) for name, value in environment(step).items()}
        elif step.instruction == "WORKDIR":
            self._workdir = Path(self._here(step.arguments))
        elif step.instruction == "COPY":
            self._copy(step)
        elif step.instruction == "RUN":
            if step.arguments.startswith(_NEEDS_ROOT):
                print(f"  left out, needs root: {step.arguments}", flush=True)
                return
            print(f"  RUN {step.arguments}", flush=True)
            self.run(["sh", "-ec", self._here(step.arguments)])

    def _copy(self, step: Step) -> None:
        *sources, destination = shlex.split(step.arguments)
        target = Path(self._here(destination))
        if "from" in step.flags:
            other = Builder(self._stages, step.flags["from"], self._folder / "stages" / step.flags["from"])
            print(f"  stage {step.flags['from']}", flush=True)
            other.build()
            sources = [other._here(source) for source in sources]
        for source in sources:
            path = ROOT / source
            if path.is_dir():
                shutil.copytree(path, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            elif destination.endswith("/"):
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
            else:
                shutil.copy(path, target)

    def _here(self, text: str) -> str:
        return _IMAGE_PATH.sub(lambda match: f"{self._folder}/{match[1]}", text)


def commands_of(stages: dict[str, Stage], target: str, compose: dict[str, Any]) -> list[list[str]]:
    """Every command that is started in containers of `target`: CMD, health check, and those of docker-compose.yml."""
    found: list[list[str]] = []
    for instruction in ("CMD", "HEALTHCHECK"):
        step = stages[target].last(instruction)
        if step and step.exec_form:
            found.append(step.exec_form)
    for service in compose["services"].values():
        if service.get("build", {}).get("target") != target:
            continue
        found += [service[key] for key in ("command",) if key in service]
        test = service.get("healthcheck", {}).get("test", [])
        found += [test[1:]] if test[:1] == ["CMD"] else []
    return found


def loading_only(command: list[str], *, models: bool = True) -> list[list[str]]:
    """Commands that load what `command` needs and do nothing: its help, the import of its modules, its models."""
    if command[:2] == ["python", "-m"]:
        name = command[2]
        code = (
            "from importlib import import_module, util; "
            f"package = util.find_spec({name!r}).submodule_search_locations; "
            f"import_module({name!r} + ('.__main__' if package else ''))"
        )
        return [["python", "-c", code]]
    if command[:2] == ["python", "-c"]:
        return [["python", "-c", f"compile({command[2]!r}, 'command', 'exec')"]]
    loading = [[*command, "--help"]]
    if "-Q" in command:
        queues = with_defaults(command[command.index("-Q") + 1])
        code = f"from workers.app import load_stages; assert load_stages({queues!r}.split(','))"
        loading.append(["python", "-m", "workers.tools.check", "-Q", queues] if models else ["python", "-c", code])
    return loading


def with_defaults(text: str) -> str:
    """What compose makes of `${NAME:-default}` when NAME is not set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def check(target: str, stages: dict[str, Stage], folder: Path) -> None:
    """Build a target in a folder that does not exist, and load what it starts.

    Raises:
        CalledProcessError: a step or a command failed; its output was printed.
    """
    print(f"target {target}", flush=True)
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    builder = Builder(stages, target, folder)
    builder.build()
    for command in commands_of(stages, target, compose):
        print(f"  loads: {' '.join(command)}", flush=True)
        for loading in loading_only(command):
            builder.run(loading)


def started_targets(stages: dict[str, Stage]) -> list[str]:
    """The targets that containers are made of. Others are there for them to build on, or to copy from."""
    return [name for name, stage in stages.items() if stage.last("CMD")]


def main() -> int:
    stages = read_stages()
    targets = started_targets(stages)
    parser = argparse.ArgumentParser(prog="python -m deploy.run_steps", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"all, if none is named: {', '.join(targets)}")
    parser.add_argument("--folder", type=Path, help="build in subfolders of it and keep them (they must not exist)")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(targets):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(targets)}")
    failed: list[str] = []
    for target in options.targets or targets:
        with tempfile.TemporaryDirectory(prefix="sightline-image-") as temporary:
            try:
                check(target, stages, (options.folder or Path(temporary)).resolve() / target)
            except subprocess.CalledProcessError as error:
                print(f"target {target}: failed with status {error.returncode}", file=sys.stderr)
                failed.append(target)
            else:
                print(f"target {target}: ok")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())

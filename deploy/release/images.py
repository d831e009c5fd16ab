"""The image of each role: by Docker where it is, else its steps are run in a folder, as `deploy/run_steps.py` does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml


def image_names(compose: Mapping[str, Any]) -> dict[str, str]:
    """The name of each image by its target in the Dockerfile."""
    return {its["build"]["target"]: its["image"] for its in compose["services"].values() if "build" in its}


def docker_commands(source: Path, targets: Sequence[str], version: str, commit: str, registry: str) -> list[list[str]]:
    """What builds the images of some targets, each with its version and where it comes from."""
    names = image_names(yaml.safe_load((source / "docker-compose.yml").read_text()))
    labels = {"version": version.replace("+", "-"), "revision": commit, "licenses": "Apache-2.0"}
    marks = [word for key, value in labels.items() for word in ("--label", f"org.opencontainers.image.{key}={value}")]
    file = str(source / "deploy/Dockerfile")
    tags = {target: f"{registry}{names[target]}:{labels['version']}" for target in targets}
    return [
        ["docker", "build", "--file", file, "--target", target, *marks, "--tag", tag, str(source)]
        for target, tag in tags.items()
    ]


def build(
    source: Path, targets: Sequence[str], version: str, commit: str, registry: str, work: Path
) -> dict[str, Path]:
    """Build them. Returns the Python whose packages each has, where that lies on this machine.

    Raises:
        CalledProcessError: a step failed; it said why.
    """
    if shutil.which("docker"):
        for command in docker_commands(source, targets, version, commit, registry):
            subprocess.run(command, check=True)
        return {}
    print("no docker here: the steps of the Dockerfile are run in folders, and no image is made", flush=True)
    command = [sys.executable, "-m", "deploy.run_steps", *targets, "--folder", str(work)]
    subprocess.run(command, cwd=source, check=True)
    return {target: work / target / "venv/bin/python" for target in targets}

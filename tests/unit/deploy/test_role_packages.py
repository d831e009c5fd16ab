"""Each role starts with what its image installs, and with nothing else that happens to be there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.dockerfile import lineage, read_stages
from deploy.run_steps import commands_of, loading_only, started_targets

ROOT = Path(__file__).parents[3]
STAGES = read_stages()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

#: What each gives to import, under whichever name it is installed here.
SAME_MODULES = {"opencv-contrib-python": "opencv-python-headless", "onnxruntime-gpu": "onnxruntime"}
#: Of packages that are installed here, and not by an image: pip's own, and what reads the Dockerfile.
OURS = [path.name for path in ROOT.iterdir() if any(path.glob("*.py"))]


def required(requirement: Requirement) -> list[Requirement]:
    """What a requirement asks for in turn, as far as it is installed here."""
    if requirement.name == "sightline":
        extras: dict[str, list[str]] = PROJECT["optional-dependencies"]
        lines = [*PROJECT["dependencies"], *(line for extra in requirement.extras for line in extras[extra])]
    else:
        try:
            lines = metadata.requires(requirement.name) or []
        except metadata.PackageNotFoundError:
            return []
    found = [Requirement(line) for line in lines]
    environments = [{"extra": extra} for extra in ("", *requirement.extras)]
    return [one for one in found if one.marker is None or any(map(one.marker.evaluate, environments))]


def closure(requirement: Requirement) -> set[str]:
    """The names of all distributions that come with a requirement."""
    seen: set[str] = set()
    waiting = [requirement]
    while waiting:
        one = waiting.pop()
        key = f"{canonicalize_name(one.name)}{sorted(one.extras)}"
        if key not in seen:
            seen.add(key)
            waiting += required(one)
    return {key.partition("[")[0] for key in seen}


def is_installed(name: str) -> bool:
    try:
        return metadata.distribution(name) is not None
    except metadata.PackageNotFoundError:
        return False


@cache
def installed_by(target: str) -> frozenset[str]:
    """The distributions in the image of a target.

    What a package that is not here (torch, PaddleOCR) would bring is not known here; the pins of its image tell.
    """
    arguments = " ".join(step.arguments for stage in lineage(STAGES, target) for step in stage.steps)
    names = closure(Requirement("sightline" + re.findall(r"/src(\[[\w,]+\])", arguments)[-1]))
    if not all(map(is_installed, names)):
        for pins in re.findall(r"-c /src/(constraints-\w+\.txt)", arguments):
            lines = (ROOT / "deploy" / pins).read_text().splitlines()
            names |= {canonicalize_name(line.partition("==")[0]) for line in lines}
    return frozenset(SAME_MODULES.get(name, name) for name in names)


def hidden_from(target: str) -> list[str]:
    """Every module that can be imported here and not in the image of a target."""
    by_module = metadata.packages_distributions()
    there = installed_by(target)
    foreign = [name for name, owners in by_module.items() if not there & {canonicalize_name(one) for one in owners}]
    copied = {step.arguments.split()[0] for stage in lineage(STAGES, target) for step in stage.steps}
    return [*foreign, *(name for name in OURS if name not in copied)]


STARTS = [(target, command) for target in started_targets(STAGES) for command in commands_of(STAGES, target, COMPOSE)]


@pytest.mark.parametrize(("target", "command"), STARTS, ids=[f"{name}: {' '.join(c)[:60]}" for name, c in STARTS])
def test_a_role_loads_with_the_packages_of_its_image(target: str, command: list[str], tmp_path: Path) -> None:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'tests/hidden'}:{ROOT}",
        "HIDDEN_MODULES": " ".join(hidden_from(target)),
        "SIGHTLINE_DATA_DIR": str(tmp_path),
    }
    for arguments in loading_only(command, models=False):
        done = subprocess.run(
            arguments, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert done.returncode == 0, done.stdout


def test_what_is_not_in_an_image_cannot_be_imported() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests/hidden"), "HIDDEN_MODULES": "cv2 storage"}
    done = subprocess.run([sys.executable, "-c", "import celery, cv2"], env=environment, capture_output=True, text=True)
    assert "No module named 'cv2'" in done.stderr


def test_what_is_hidden_is_what_the_image_does_not_install() -> None:
    assert {"sqlalchemy", "psycopg", "paho", "celery"}.isdisjoint(hidden_from("writer"))
    assert {"cv2", "numpy", "fastapi", "av", "pytest", "producers"} <= set(hidden_from("writer"))
    assert {"sqlalchemy", "storage"}.isdisjoint(hidden_from("api"))
    assert {"storage", "fastapi", "psycopg"} <= set(hidden_from("worker-cpu"))
    assert {"openvino", "rapidocr"} <= set(hidden_from("worker-paddle"))

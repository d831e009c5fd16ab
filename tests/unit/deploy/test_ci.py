"""What `.ci/run` runs, against what there is to run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.dockerfile import read_stages
from deploy.run_steps import started_targets
from training.plates.drawing.fonts import PACKAGES

ROOT = Path(__file__).parents[3]
CI = (ROOT / ".ci/run").read_text()
TARGETS = started_targets(read_stages())


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_ci_script_is_executable_and_parses() -> None:
    script = ROOT / ".ci/run"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", script], check=True)


#: Targets of the Makefile that are no checks, and why.
NOT_IN_CI = {
    "help setup setup-dev demo up clean": "they check nothing",
    "manifests": "it writes; a test compares",
    "lint types": "parts of `make test`",
    "bench bench-chat bench-lanes bench-search bench-retention bench-speech": "they measure, and judge nothing",
    "accuracy passages weights": "the same, for hours",
    "soak": "half an hour",
    "fuzz alerts": "`make test` has a shorter run of them",
}


def test_what_can_fail_is_run_by_ci() -> None:
    """What is not run rots. A new target is a check, or is named here with its reason."""
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    left_out = {name for names in NOT_IN_CI for name in names.split()}
    assert left_out <= set(phony.split())
    assert set(re.findall(r"^check make ([\w-]+)", CI, re.MULTILINE)) == set(phony.split()) - left_out


def test_ci_builds_every_image() -> None:
    lines = [shlex.split(line) for line in CI.splitlines() if line.startswith("check make images ")]
    named = [word.removeprefix("TARGETS=") for words in lines for word in words if word.startswith("TARGETS=")]
    assert sorted(" ".join(named).split()) == sorted(TARGETS)


def test_the_ci_script_installs_the_fonts_that_tests_draw_with() -> None:
    installed = CI.split()
    assert [name for names in PACKAGES.values() for name in names.split() if name not in installed] == []

"""Faults fire the alerts that they should, and no others, by what real roles say while they last."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from benchmarks.chaos.machine.postgres import find_binaries
from tests.acceptance.parts.machine import ROOT

#: A store that says no, an end that is away, and what is wrong for a moment only. `make alerts` has all.
FAULTS = ("database-read-only", "receiver-down", "foreign")


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.skipif(find_binaries() is None, reason="no PostgreSQL")
def test_each_fault_fires_what_it_should_and_nothing_else() -> None:
    command = [sys.executable, "-m", "benchmarks.chaos.alerts", "--only", *FAULTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "database-read-only passing: none; lasting: StoreDown" in done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(FAULTS)

"""`python -m demo`: whoever ends it ends all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.acceptance.parts.machine import ROOT
from tests.conftest import free_port


def test_sigterm_ends_all_that_was_started(tmp_path: Path) -> None:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SIGHTLINE_")}
    with (tmp_path / "log").open("wb") as log:
        demo = subprocess.Popen(
            [sys.executable, "-m", "demo"],
            cwd=tmp_path,
            env=clean | {"PYTHONPATH": str(ROOT), "SIGHTLINE_API_PORT": str(free_port()), "SIGHTLINE_FLOWER_PORT": "0"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    started: list[psutil.Process] = []
    until = time.monotonic() + 60
    while len(started) < 3:  # `sightline up`, and what it starts in turn
        assert demo.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < until, (tmp_path / "log").read_text()
        started = psutil.Process(demo.pid).children(recursive=True)
        time.sleep(0.1)
    demo.send_signal(signal.SIGTERM)
    demo.wait(80)
    _, alive = psutil.wait_procs(started, timeout=30)
    assert [process.cmdline() for process in alive] == []


def test_help_helps_and_starts_nothing(tmp_path: Path) -> None:
    asked = [sys.executable, "-m", "demo", "--help"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(asked, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "--port" in done.stdout
    assert list(tmp_path.iterdir()) == []

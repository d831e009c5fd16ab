"""Workers start with threads alone: any other pool would take messages and end none of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.parts.system import ROOT, System


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_pool_that_does_not_work_is_refused_in_words(tmp_path: Path, redis_url: str, pool: str) -> None:
    environment = System(tmp_path, redis_url).environment
    command = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "-P", pool, "-Q", "gpu.detect", "-c", "1"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert f"-P {pool}: workers need -P threads" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_without_such_a_database_is_refused_in_words(tmp_path: Path, redis_url: str) -> None:
    system = System(tmp_path, redis_url)
    environment = system.environment | {"SIGHTLINE_REDIS_URL": redis_url.removesuffix("/0") + "/99"}
    command = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "-P", "threads", "-Q", "gpu.detect"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "no database of this number" in done.stderr
    assert "Traceback" not in done.stderr

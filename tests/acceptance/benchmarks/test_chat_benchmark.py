"""`python -m benchmarks.chat` runs from end to end. What it measures is not judged: machines differ."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TINY = ["--conversations", "2", "--tokens", "2", "--rounds", "1", "--questions", "1", "--bulk", "1"]


@pytest.mark.timeout(900)
def test_it_measures_the_queue_and_who_else_answers() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.chat", *TINY], cwd=ROOT, capture_output=True, text=True, timeout=850
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    names = ("bare_tokens_a_second", "queued_tokens_a_second", "naive_tokens_a_second", "queued_to_naive", "p95_ratio")
    assert all(found[name] > 0 for name in names)
    assert "queued_to_ray" not in found
    for name in ("litserve", "ray"):
        assert f"{name}: left out: not installed" in done.stderr

"""A short run of `make chaos`, and one without a protection. How long they take is not judged: machines differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chaos.faults import QUICK
from benchmarks.chaos.run import Options, run

pytestmark = pytest.mark.timeout(900)


def test_every_promise_is_kept_whatever_dies(tmp_path: Path) -> None:
    verdict = run(Options(faults=len(QUICK), frames=2000, seed=7, only=QUICK, timely=False), tmp_path)
    assert verdict.violations == []
    assert sum(this.accepted for this in verdict.rounds) > 1000
    assert sum(this.events for this in verdict.rounds) > 1000
    assert all(this.quiet for this in verdict.rounds)
    again = {this.fault.name: this.events_again for this in verdict.rounds}
    assert again["receiver-cut"] > 0  # it was put to the test


@pytest.mark.parametrize(
    ("faults", "without"),
    [
        (("kill-join", "kill-merge"), ("ledger", "arrive-again")),
        (("kill-shard", "branch-fails"), ("ledger", "late-ack", "failed-branches")),
    ],
)
def test_it_finds_what_a_fork_without_its_protections_loses(
    tmp_path: Path, faults: tuple[str, ...], without: tuple[str, ...]
) -> None:
    verdict = run(Options(faults=2, frames=160, seed=7, only=faults, without=without, timely=False), tmp_path)
    assert all(this.lost for this in verdict.rounds), verdict.violations


def test_it_finds_what_a_missing_protection_breaks(tmp_path: Path) -> None:
    options = Options(faults=2, frames=400, seed=7, only=("redis-refuses",), without=("in-body-hand-over",))
    verdict = run(options, tmp_path)
    assert [violation for violation in verdict.violations if "did their work twice" in violation]

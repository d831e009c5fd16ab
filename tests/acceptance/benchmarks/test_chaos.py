"""A short run of `make chaos`, and one without a protection. How long they take is not judged: machines differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chaos.faults import QUICK
from benchmarks.chaos.forks import FORKS
from benchmarks.chaos.questions import QUESTIONS
from benchmarks.chaos.run import Options, run

pytestmark = pytest.mark.timeout(900)


def test_every_promise_is_kept_whatever_dies(tmp_path: Path) -> None:
    verdict = run(Options(faults=len(QUICK), frames=2000, seed=7, only=QUICK, timely=False), tmp_path)
    assert verdict.violations == []
    assert sum(this.accepted for this in verdict.rounds) > 1000
    assert sum(this.events for this in verdict.rounds) > 1000
    assert all(this.quiet for this in verdict.rounds)
    assert all(verdict.pipelines[name]["stored"] for name in ("plates", "text", "objects", FORKS, *QUESTIONS))
    again = {this.fault.name: this.events_again for this in verdict.rounds}
    assert again["receiver-cut"] > 0  # it was put to the test


@pytest.mark.parametrize(
    ("without", "loses", "says"),
    [
        (
            ("ledger", "arrive-again", "restarts"),
            {"kill-join": True, "kill-merge": True, "kill-stream": False},
            "who listened heard two workers as one",
        ),
        (
            ("ledger", "late-ack", "failed-branches", "letters"),
            {"kill-shard": True, "branch-fails": True, "foreign": False},
            "no dead letter has it",
        ),
    ],
)
def test_it_finds_what_each_missing_protection_loses(
    tmp_path: Path, without: tuple[str, ...], loses: dict[str, bool], says: str
) -> None:
    only = tuple(loses)
    options = Options(len(loses), 80 * len(loses), 7, only=only, without=without, questions=0.0, timely=False)
    verdict = run(options, tmp_path)
    lost = {this.fault.name for this in verdict.rounds if this.lost}
    assert lost >= {fault for fault, is_lost in loses.items() if is_lost}, verdict.violations
    assert any(says in violation for violation in verdict.violations)


def test_it_finds_what_a_missing_protection_breaks(tmp_path: Path) -> None:
    without = ("in-body-hand-over",)
    options = Options(faults=2, frames=400, seed=7, only=("redis-refuses",), without=without, questions=0.0)
    verdict = run(options, tmp_path)
    assert [violation for violation in verdict.violations if "did their work twice" in violation]

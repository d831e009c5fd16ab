"""The short run of `make chaos`: real processes, ten faults, and the proof that the proof can fail."""

from __future__ import annotations

from pathlib import Path

from benchmarks.chaos.run import Options, run

#: Those that take little time; the others are in `make chaos`.
QUICK = (
    "kill-detect",
    "kill-ocr",
    "kill-write",
    "kill-producer",
    "term-kill",
    "redis-kill",
    "redis-disconnect",
    "redis-refuses",
    "database-locked",
    "garbage",
)


def test_no_accepted_frame_is_lost_or_stored_twice(tmp_path: Path) -> None:
    verdict = run(Options(faults=10, frames=2000, seed=7, only=QUICK), tmp_path)
    assert verdict.violations == []
    assert verdict.outcomes["stored"] > 1500
    assert sum(this.accepted + this.refused for this in verdict.rounds) == 2000
    assert all(this.quiet and this.goes_on_s is not None for this in verdict.rounds)


def test_a_hand_over_outside_the_body_does_not_pass(tmp_path: Path) -> None:
    """One protection less, and the ledger has to repeat work that a refused message would only have held up."""
    options = Options(faults=1, frames=200, seed=7, only=("redis-refuses",), without=("in-body-hand-over",))
    verdict = run(options, tmp_path)
    assert any("did their work twice" in violation for violation in verdict.violations)

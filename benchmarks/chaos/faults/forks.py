"""Workers that die where a pipeline forks and joins, and a branch that fails for good."""

from __future__ import annotations

import random

from benchmarks.chaos.faults.fault import Dies, Fault
from benchmarks.chaos.forks import FORKS
from benchmarks.chaos.machine.system import System
from benchmarks.chaos.switches import (
    DIE_AFTER_BRANCH_FILE,
    DIE_AFTER_SHARD_FILE,
    DIE_IN_SHARD_FILE,
    DIE_IN_STREAM_FILE,
)  # fmt: skip


class _Dies(Dies):
    pipeline = FORKS


class KillJoin(_Dies):
    """Its branch is the last that arrived in the ledger, and the message of the stage that joins them is not sent."""

    name, file = "kill-join", DIE_AFTER_BRANCH_FILE


class KillMerge(_Dies):
    """Its shard is the last that arrived, and the message on which they are merged is not sent."""

    name, file = "kill-merge", DIE_AFTER_SHARD_FILE


class KillShard(_Dies):
    """It is in the middle of a shard."""

    name, file = "kill-shard", DIE_IN_SHARD_FILE


class KillStream(_Dies):
    """It has said half of what its stage says while it works."""

    name, file = "kill-stream", DIE_IN_STREAM_FILE


class BranchFails(Fault):
    """One branch of a job fails for good, the other does not."""

    name, repeats, poison, pipeline = "branch-fails", False, True, FORKS

    def strike(self, system: System, rng: random.Random) -> None:
        """The producer publishes it with the round's first bundle."""

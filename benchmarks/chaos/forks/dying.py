"""Workers that die at one point of a fork, when they are told to; and what a fork's protections are, switched off.

Names of the product are replaced, as in `roles.worker`, which calls this.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from pathlib import Path

import workers.stages.runner
from benchmarks.chaos.forks import FORKS
from benchmarks.chaos.switches import (
    DIE_AFTER_BRANCH_FILE,
    DIE_AFTER_SHARD_FILE,
    DIE_BEFORE_ANSWER_FILE,
    DIED_FILE,
    FOLDER,
)  # fmt: skip
from sightline.delivery.arrivals import Arrivals, Arrived
from sightline.delivery.delta_stream import Delta, DeltaStream
from sightline.pipelines import registry
from sightline.types import Pipeline
from sightline.wire.messages import Job, Message

_add = DeltaStream.add
_arrive, _arrive_shard, _end_chain = Arrivals.arrive, Arrivals.arrive_shard, workers.stages.runner.end_chain


def prepare(without: Collection[str]) -> None:
    """Replace the names. Before anything of `workers.app` is used."""
    told_again = "arrive-again" not in without

    def arrive(self: Arrivals, job: Job, chain: str, *, held: Collection[str] = ()) -> Arrived:
        is_known = not told_again and chain in self.arrived(job)
        arrived = Arrived({chain}, set()) if is_known else _arrive(self, job, chain, held=held)
        graph = registry().graph(job.pipeline)
        assert graph is not None
        if any(arrived.chains.issuperset(following.needs) for following in graph.after(chain)):
            die_if_told(DIE_BEFORE_ANSWER_FILE if job.pipeline == Pipeline.ASK else DIE_AFTER_BRANCH_FILE)
        return arrived

    def arrive_shard(self: Arrivals, job: Job, stage: str, shard: int) -> int | None:
        cut = None if told_again else self.shards(job, stage)
        if cut is not None and shard not in cut.missing:
            return 1
        missing = _arrive_shard(self, job, stage, shard)
        if missing == 0 and job.pipeline == FORKS:
            die_if_told(DIE_AFTER_SHARD_FILE)
        return missing

    Arrivals.arrive, Arrivals.arrive_shard = arrive, arrive_shard
    if "restarts" in without:
        DeltaStream.add = _add_as_one_attempt
    if "failed-branches" in without:
        workers.stages.runner.end_chain = _forget_branch


def die_if_told(name: str) -> None:
    """kill -9 of this process, once, if the file is there."""
    if is_told(name):
        (Path(os.environ[FOLDER]) / DIED_FILE).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def is_told(name: str) -> bool:
    """Whether the file is there. Whoever asks takes it away: the next one is not told."""
    try:
        (Path(os.environ[FOLDER]) / name).unlink()
    except FileNotFoundError:
        return False
    return True


def _forget_branch(services: workers.stages.runner.Services, message: Message, task: str) -> None:
    """Nothing came of a branch or a shard, and nobody is told."""
    graph = registry().graph(message.job.pipeline)
    if graph is None or (graph.chain_of(task).is_last and message.shard is None):
        _end_chain(services, message, task)


def _add_as_one_attempt(self: DeltaStream, *deltas: Delta) -> None:
    """Nobody can tell an attempt from the one before."""
    redis = self._redis  # pyright: ignore[reportPrivateUsage]
    said = [one for one in deltas if one.number or not redis.exists(f"sightline:deltas:{one.job_id}")]
    if said:
        _add(self, *(one._replace(attempt=one.job_id) for one in said))

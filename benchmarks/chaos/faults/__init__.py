"""What goes wrong: one class a fault, by name, and the order in which they come."""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks.chaos.faults.broker import (
    Garbage,
    RedisDisconnect,
    RedisFull,
    RedisKill,
    RedisRefuses,
    UnknownTask,
)  # fmt: skip
from benchmarks.chaos.faults.fault import Fault
from benchmarks.chaos.faults.foreign import Foreign
from benchmarks.chaos.faults.forks import BranchFails, KillJoin, KillMerge, KillShard, KillStream
from benchmarks.chaos.faults.outside import (
    CameraFlap,
    ClockStep,
    KillCamera,
    KillDeliver,
    Receiver500,
    ReceiverCut,
    ReceiverDown,
    ReceiverSlow,
)  # fmt: skip
from benchmarks.chaos.faults.questions import (
    EngineHangs,
    KillAnswer,
    KillBeforeAnswer,
    KillSpeech,
    Server500,
    ServerCut,
    ServerDown,
    ServerHtml,
    ServerSilent,
)  # fmt: skip
from benchmarks.chaos.faults.stores import DatabaseKill, DatabaseLocked, DatabaseReadOnly, DiskFull, FramesFail
from benchmarks.chaos.faults.workers import (
    Freeze,
    KillDetect,
    KillOcr,
    KillProducer,
    KillWrite,
    MemoryShort,
    Poison,
    SlowModel,
    TermKill,
)  # fmt: skip
from benchmarks.chaos.questions import QUESTIONS

__all__ = ["FAULTS", "OF_FRAMES", "QUICK", "Fault", "plan_faults"]

FAULTS: dict[str, type[Fault]] = {
    fault.name: fault
    for fault in (
        KillDetect, KillOcr, KillWrite, KillProducer, KillDeliver, KillCamera, TermKill, Freeze,
        SlowModel, MemoryShort, Poison,
        KillJoin, KillMerge, KillShard, KillStream, BranchFails,
        KillAnswer, KillBeforeAnswer, KillSpeech, EngineHangs,
        Server500, ServerHtml, ServerSilent, ServerCut, ServerDown,
        RedisKill, RedisDisconnect, RedisRefuses, RedisFull, Garbage, UnknownTask, Foreign,
        DatabaseKill, DatabaseReadOnly, DatabaseLocked, FramesFail, DiskFull,
        ReceiverDown, ReceiverSlow, Receiver500, ReceiverCut, CameraFlap, ClockStep,
    )
}  # fmt: skip

#: Those for which nobody has to ask anything.
OF_FRAMES = tuple(name for name, fault in FAULTS.items() if fault.pipeline not in QUESTIONS)

#: One of each sort, for a run of two minutes.
QUICK = (
    "kill-detect", "kill-write", "kill-producer", "kill-deliver", "poison", "kill-join", "kill-shard", "branch-fails",
    "kill-answer", "kill-before-answer", "server-500",
    "redis-kill", "redis-refuses", "database-locked", "frames-fail", "receiver-cut",
)  # fmt: skip


def plan_faults(seed: int, count: int, names: Sequence[str] = ()) -> list[Fault]:
    """`count` faults in a seeded order; each kind comes once before any comes twice."""
    rng = random.Random(f"faults {seed}")
    planned: list[Fault] = []
    while len(planned) < count:
        kinds = list(names or FAULTS)
        rng.shuffle(kinds)
        planned += [FAULTS[kind]() for kind in kinds]
    return planned[:count]

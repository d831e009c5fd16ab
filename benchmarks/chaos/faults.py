"""What goes wrong, one class a fault. `strike` makes it, keeps it as long as it lasts and takes it away again."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections.abc import Callable
from typing import ClassVar
from uuid import uuid4

from benchmarks.chaos.switches import NO_MEMORY_FILE, SLOW_FILE, SLOW_S
from benchmarks.chaos.system import System
from sightline.celery_app import create_app
from sightline.queues import QUEUES


class Fault:
    """`name` is what options and tables say. `repeats`: work that was done may be done again."""

    name: ClassVar[str]
    repeats: ClassVar[bool] = True
    #: The round's first bundle holds a picture that can never be worked on.
    poison: ClassVar[bool] = False

    def strike(self, system: System, _rng: random.Random) -> None:
        raise NotImplementedError


class _KillWorker(Fault):
    """kill -9."""

    role: ClassVar[str]

    def strike(self, system: System, rng: random.Random) -> None:
        system.signal(system.pick(self.role, rng), signal.SIGKILL)


class KillDetect(_KillWorker):
    name, role = "kill-detect", "detect"


class KillOcr(_KillWorker):
    name, role = "kill-ocr", "ocr"


class KillWrite(_KillWorker):
    name, role = "kill-write", "write"


class KillProducer(Fault):
    """kill -9 of the producer, at any step of a publish."""

    name = "kill-producer"

    def strike(self, system: System, _rng: random.Random) -> None:
        system.signal(system.parts["producer"], signal.SIGKILL)


class TermKill(Fault):
    """SIGTERM, then SIGKILL after a second: a supervisor without patience."""

    name = "term-kill"

    def strike(self, system: System, rng: random.Random) -> None:
        part = system.pick(_any_role(rng), rng)
        process = part.process
        system.signal(part, signal.SIGTERM)
        time.sleep(1.0)
        if process is not None and part.process is process:
            system.signal(part, signal.SIGKILL)


class Freeze(Fault):
    """SIGSTOP for twice the visibility time-out: the worker comes back and believes that its messages are its own."""

    name = "freeze"

    def strike(self, system: System, rng: random.Random) -> None:
        part = system.pick(_any_role(rng), rng)
        system.signal(part, signal.SIGSTOP)
        time.sleep(2 * system.settings.visibility_timeout_s)
        system.signal(part, signal.SIGCONT)


class SlowModel(Fault):
    """One model call takes three times the visibility time-out."""

    name, repeats = "slow-model", False

    def strike(self, system: System, _rng: random.Random) -> None:
        (system.folder / SLOW_FILE).touch()
        time.sleep(SLOW_S)


class MemoryShort(Fault):
    """For half a second no detector gets memory."""

    name = "memory-short"

    def strike(self, system: System, _rng: random.Random) -> None:
        file = system.folder / NO_MEMORY_FILE
        file.touch()
        time.sleep(0.5)
        file.unlink()


class Poison(Fault):
    """A picture that no worker ever has the memory for."""

    name, poison = "poison", True

    def strike(self, system: System, _rng: random.Random) -> None:
        """The producer publishes it with the round's first bundle."""


class RedisKill(Fault):
    """kill -9 of Redis, a second away, back from its append-only file."""

    name = "redis-kill"

    def strike(self, system: System, _rng: random.Random) -> None:
        system.kill_redis(away_s=1.0)


class RedisDisconnect(Fault):
    """CLIENT KILL of every connection."""

    name = "redis-disconnect"

    def strike(self, system: System, _rng: random.Random) -> None:
        for kind in ("normal", "pubsub"):
            system.redis.client_kill_filter(_type=kind, skipme=True)


class RedisRefuses(Fault):
    """No message can be put on a list for three seconds; everything else works."""

    name, repeats = "redis-refuses", False

    def strike(self, system: System, _rng: random.Random) -> None:
        system.redis.execute_command("ACL", "SETUSER", "default", "-lpush")
        time.sleep(3.0)
        system.redis.execute_command("ACL", "SETUSER", "default", "+lpush")


class RedisFull(Fault):
    """Out of memory for three seconds: every command that could need more is refused."""

    name = "redis-full"

    def strike(self, system: System, _rng: random.Random) -> None:
        system.redis.config_set("maxmemory", 1)
        time.sleep(3.0)
        system.redis.config_set("maxmemory", 0)


class DatabaseLocked(Fault):
    """Somebody else holds the database's write lock for longer than the visibility time-out."""

    name, repeats = "database-locked", False

    def strike(self, system: System, _rng: random.Random) -> None:
        path = system.settings.sqlalchemy_url.removeprefix("sqlite:///")
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(2 * system.settings.visibility_timeout_s)
        connection.execute("ROLLBACK")
        connection.close()


class FramesFail(Fault):
    """The folder of the frame store is no folder for three seconds."""

    name, repeats = "frames-fail", False

    def strike(self, system: System, _rng: random.Random) -> None:
        system.replace_frame_store(broken=True)
        time.sleep(3.0)
        system.replace_frame_store(broken=False)


class Garbage(Fault):
    """Items that are no Celery message, on a queue that somebody took for a plain list."""

    name = "garbage"

    def strike(self, system: System, rng: random.Random) -> None:
        for item in ("no JSON", "[1, 2]", "{}"):
            system.redis.lpush(rng.choice(QUEUES), item)


class UnknownTask(Fault):
    """A task that no worker knows, as after a half-done deployment."""

    name, repeats = "unknown-task", False

    def strike(self, system: System, _rng: random.Random) -> None:
        app = create_app(system.settings)
        for queue in QUEUES:
            app.send_task("sightline.nonsense", queue=queue, task_id=str(uuid4()))
        app.close()


FAULTS: dict[str, Callable[[], Fault]] = {
    fault.name: fault
    for fault in (
        KillDetect, KillOcr, KillWrite, KillProducer, TermKill, Freeze, SlowModel, MemoryShort, Poison,
        RedisKill, RedisDisconnect, RedisRefuses, RedisFull, DatabaseLocked, FramesFail, Garbage, UnknownTask,
    )
}  # fmt: skip


def plan_faults(seed: int, count: int, names: list[str] | None = None) -> list[Fault]:
    """`count` faults in a seeded order; each kind comes once before any comes twice."""
    rng = random.Random(f"faults {seed}")
    planned: list[Fault] = []
    while len(planned) < count:
        kinds = list(names or FAULTS)
        rng.shuffle(kinds)
        planned += [FAULTS[kind]() for kind in kinds]
    return planned[:count]


def _any_role(rng: random.Random) -> str:
    return rng.choice(("detect", "ocr", "write"))

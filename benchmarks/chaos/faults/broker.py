"""Redis dies, refuses, is full; and messages on it that are none of ours."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from benchmarks.chaos.faults.fault import Fault, Lasting, wait_for
from benchmarks.chaos.machine.system import System
from benchmarks.chaos.switches import HELD_FILE, HOLD_FILE, REFUSED_FILE
from sightline.celery.app import create_app
from sightline.pipelines import registry


class RedisKill(Lasting):
    """kill -9 of Redis, a second away, back from its append-only file."""

    name, lasts_s = "redis-kill", 1.0

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:  # noqa: ARG002
        with system.killed(system.parts["redis"]):
            yield
        system.wait_for_redis()


class RedisDisconnect(Fault):
    """CLIENT KILL of every connection."""

    name = "redis-disconnect"

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        for kind in ("normal", "pubsub"):
            system.redis.client_kill_filter(_type=kind, skipme=True)


class RedisRefuses(Lasting):
    """No message can be put on a list for three seconds; everything else works.

    A stage has work in hand when it begins, and it lasts until a hand-over was refused.
    """

    name, repeats, lasts_s = "redis-refuses", False, 3.0

    def prepare(self, system: System) -> None:
        for name in (HELD_FILE, REFUSED_FILE):
            (system.folder / name).unlink(missing_ok=True)
        (system.folder / HOLD_FILE).touch()

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:  # noqa: ARG002
        wait_for(system.folder / HELD_FILE)
        system.redis.execute_command("ACL", "SETUSER", "default", "-lpush")
        (system.folder / HOLD_FILE).unlink()
        yield
        wait_for(system.folder / REFUSED_FILE)
        system.redis.execute_command("ACL", "SETUSER", "default", "+lpush")


class RedisFull(Lasting):
    """Out of memory for three seconds: every command that could need more is refused."""

    name, lasts_s = "redis-full", 3.0

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:  # noqa: ARG002
        system.redis.config_set("maxmemory", 1)
        yield
        system.redis.config_set("maxmemory", 0)


class Garbage(Fault):
    """Items that are no Celery message, on a queue that somebody took for a plain list."""

    name = "garbage"

    def strike(self, system: System, rng: random.Random) -> None:
        for item in ("no JSON", "[1, 2]", "{}"):
            system.redis.lpush(rng.choice(registry().usual_queues), item)


class UnknownTask(Fault):
    """A task that no worker knows, as after a half-done deployment."""

    name, repeats = "unknown-task", False

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        app = create_app(system.settings)
        for queue in registry().usual_queues:
            app.send_task("sightline.nonsense", queue=queue, task_id=str(uuid4()))
        app.close()

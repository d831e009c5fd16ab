"""Workers, writers and producers that die, freeze, take too long or get no memory."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from benchmarks.chaos.faults.fault import Fault, Lasting
from benchmarks.chaos.machine.system import TWICE_VISIBILITY_S, System
from benchmarks.chaos.switches import NO_MEMORY_FILE, SLOW_FILE, SLOW_S


class _KillWorker(Lasting):
    """kill -9."""

    role: ClassVar[str]

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:
        with system.killed(system.pick(self.role, rng)):
            yield


class KillDetect(_KillWorker):
    name, role = "kill-detect", "detect"


class KillOcr(_KillWorker):
    name, role = "kill-ocr", "ocr"


class KillWrite(_KillWorker):
    name, role = "kill-write", "write"


class KillProducer(Fault):
    """kill -9 of the producer, at any step of a publish."""

    name = "kill-producer"

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        system.signal(system.parts["producer"], signal.SIGKILL)


class TermKill(Fault):
    """SIGTERM, then SIGKILL after a second: a supervisor without patience."""

    name = "term-kill"

    def strike(self, system: System, rng: random.Random) -> None:
        part = system.pick_worker(rng)
        process = part.process
        system.signal(part, signal.SIGTERM)
        time.sleep(1.0)
        if process is not None and part.process is process:
            system.signal(part, signal.SIGKILL)


class Freeze(Lasting):
    """SIGSTOP for twice the visibility time-out: the worker comes back and believes that its messages are its own."""

    name, lasts_s = "freeze", TWICE_VISIBILITY_S

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:
        part = system.pick_worker(rng)
        system.signal(part, signal.SIGSTOP)
        yield
        system.signal(part, signal.SIGCONT)


class SlowModel(Fault):
    """One model call takes three times the visibility time-out."""

    name, repeats = "slow-model", False

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        (system.folder / SLOW_FILE).touch()
        time.sleep(SLOW_S)


class MemoryShort(Lasting):
    """For half a second no detector gets memory."""

    name, lasts_s = "memory-short", 0.5

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:  # noqa: ARG002
        file = system.folder / NO_MEMORY_FILE
        file.touch()
        yield
        file.unlink()


class Poison(Fault):
    """A picture that no worker ever has the memory for."""

    name, poison = "poison", True

    def strike(self, system: System, rng: random.Random) -> None:
        """The producer publishes it with the round's first bundle."""

"""Who is at the ends: the receiver of webhooks, the deliver role, a camera; and a clock that is wrong."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from benchmarks.chaos.faults.fault import Lasting, wait_for
from benchmarks.chaos.machine.clock import STEP_S, step
from benchmarks.chaos.machine.system import TWICE_VISIBILITY_S, System
from benchmarks.chaos.switches import CAMERA, MOOD_MET_FILE, RECEIVER_MOOD_FILE
from storage.cameras import update_camera


class KillDeliver(Lasting):
    """kill -9 of a deliver process while it sends."""

    name, repeats = "kill-deliver", False

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:
        time.sleep(rng.uniform(0.3, 1.0))  # until there are events
        with system.killed(system.pick("deliver", rng)):
            yield


class ReceiverDown(Lasting):
    """kill -9 of the receiver of webhooks, three seconds away."""

    name, repeats, lasts_s = "receiver-down", False, 3.0

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:  # noqa: ARG002
        with system.killed(system.parts["receiver"]):
            yield


class _ReceiverMood(Lasting):
    """Lasts until an event came in it."""

    repeats, lasts_s = False, 3.0
    mood: ClassVar[str]

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:  # noqa: ARG002
        file, met = system.folder / RECEIVER_MOOD_FILE, system.folder / MOOD_MET_FILE
        met.unlink(missing_ok=True)
        file.write_text(self.mood)
        yield
        wait_for(met)
        file.unlink()


class ReceiverSlow(_ReceiverMood):
    """For three seconds it acts on an event, but answers after the sender gave up."""

    name = mood = "receiver-slow"


class Receiver500(_ReceiverMood):
    """For three seconds it answers 500."""

    name = mood = "receiver-500"


class ReceiverCut(_ReceiverMood):
    """For three seconds it acts on an event, and cuts the connection instead of answering."""

    name = mood = "receiver-cut"


class _Camera(Lasting):
    """While a camera process reads a stream over HTTP."""

    part: ClassVar[str]  #: what dies

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:
        with _streaming(system):
            time.sleep(rng.uniform(0, 0.5))
            with system.killed(system.parts[self.part]):
                yield


class CameraFlap(_Camera):
    """The stream of a camera breaks three times, and comes back after up to a second."""

    name, part, repeats = "camera-flap", "stream", False

    def strike(self, system: System, rng: random.Random) -> None:
        with _streaming(system):
            for _ in range(3):
                system.kill(system.parts[self.part], away_s=rng.uniform(0.1, 1.0))
                time.sleep(1.5)


class KillCamera(_Camera):
    """kill -9 of the camera process."""

    name, part, repeats = "kill-camera", "camera", False


class ClockStep(Lasting):
    """The clock of one worker is an hour ahead, or behind, for twice the visibility time-out."""

    name, lasts_s = "clock-step", TWICE_VISIBILITY_S

    @contextmanager
    def wrong(self, system: System, rng: random.Random) -> Iterator[None]:
        part = system.pick_worker(rng)
        step(system.folder, part.name, rng.choice((-STEP_S, STEP_S)))
        yield
        step(system.folder, part.name, 0)


@contextmanager
def _streaming(system: System) -> Iterator[None]:
    system.write(lambda database: update_camera(database, CAMERA, enabled=True))
    time.sleep(2.5)  # the camera process looks at the rows once a second, and opens the stream
    yield
    time.sleep(2.5)
    system.write(lambda database: update_camera(database, CAMERA, enabled=False))
    time.sleep(1.5)

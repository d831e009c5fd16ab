"""Who is at the ends: the receiver of webhooks, the deliver role, a camera; and a clock that is wrong."""

from __future__ import annotations

import random
import signal
import time
from typing import ClassVar

from benchmarks.chaos.faults.fault import Fault, wait_for
from benchmarks.chaos.machine.clock import STEP_S, step
from benchmarks.chaos.machine.system import System
from benchmarks.chaos.switches import CAMERA, MOOD_MET_FILE, RECEIVER_MOOD_FILE
from storage.cameras import update_camera


class KillDeliver(Fault):
    """kill -9 of a deliver process while it sends."""

    name, repeats = "kill-deliver", False

    def strike(self, system: System, rng: random.Random) -> None:
        time.sleep(rng.uniform(0.3, 1.0))  # until there are events
        system.signal(system.pick("deliver", rng), signal.SIGKILL)


class ReceiverDown(Fault):
    """kill -9 of the receiver of webhooks, three seconds away."""

    name, repeats = "receiver-down", False

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        system.kill(system.parts["receiver"], away_s=3.0)


class _ReceiverMood(Fault):
    """Lasts until an event came in it."""

    repeats = False
    mood: ClassVar[str]

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        file, met = system.folder / RECEIVER_MOOD_FILE, system.folder / MOOD_MET_FILE
        met.unlink(missing_ok=True)
        file.write_text(self.mood)
        time.sleep(3.0)
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


class _Camera(Fault):
    """A camera process reads a stream over HTTP while this lasts."""

    def strike(self, system: System, rng: random.Random) -> None:
        system.write(lambda database: update_camera(database, CAMERA, enabled=True))
        time.sleep(2.5)  # it looks at the rows once a second, and opens the stream
        self.disturb(system, rng)
        time.sleep(2.5)
        system.write(lambda database: update_camera(database, CAMERA, enabled=False))
        time.sleep(1.5)

    def disturb(self, system: System, rng: random.Random) -> None:
        raise NotImplementedError


class CameraFlap(_Camera):
    """The stream of a camera breaks three times, and comes back after up to a second."""

    name, repeats = "camera-flap", False

    def disturb(self, system: System, rng: random.Random) -> None:
        for _ in range(3):
            system.kill(system.parts["stream"], away_s=rng.uniform(0.1, 1.0))
            time.sleep(1.5)


class KillCamera(_Camera):
    """kill -9 of the camera process."""

    name, repeats = "kill-camera", False

    def disturb(self, system: System, rng: random.Random) -> None:
        time.sleep(rng.uniform(0, 0.5))
        system.signal(system.parts["camera"], signal.SIGKILL)


class ClockStep(Fault):
    """The clock of one worker is an hour ahead, or behind, for twice the visibility time-out."""

    name = "clock-step"

    def strike(self, system: System, rng: random.Random) -> None:
        part = system.pick_worker(rng)
        step(system.folder, part.name, rng.choice((-STEP_S, STEP_S)))
        time.sleep(2 * system.settings.visibility_timeout_s)
        step(system.folder, part.name, 0)

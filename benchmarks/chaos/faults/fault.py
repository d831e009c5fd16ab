"""What a fault is. `strike` makes it, keeps it as long as it lasts and takes it away again."""

from __future__ import annotations

import random
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

from benchmarks.chaos.machine.system import System
from benchmarks.chaos.switches import DIED_FILE
from sightline.types import Pipeline

#: What a fault waits for may never come: where workers do everything, those that hand over may get no work.
_WITHIN_S = 20.0


class NotStruckError(Exception):
    """What a fault waits for did not come, so nothing went wrong."""


class Fault:
    """`name` is what options and tables say."""

    name: ClassVar[str]
    #: Work that was done may be done again.
    repeats: ClassVar[bool] = True
    #: The round's first bundle holds a picture that can never be worked on.
    poison: ClassVar[bool] = False
    #: The first bundle of each half of the round is one of this pipeline.
    pipeline: ClassVar[Pipeline | None] = None
    #: Reasons for which questions may be dead that were asked meanwhile.
    gives_up: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def missing(cls, database: str) -> str:  # noqa: ARG003 - for those that ask
        """What this machine or the kind of database lacks for it; empty if nothing."""
        return ""

    def prepare(self, system: System) -> None:
        """Just before the strike; the frames that are published meanwhile come after this."""

    def strike(self, system: System, rng: random.Random) -> None:
        """Raises NotStruckError."""
        raise NotImplementedError


class Dies(Fault):
    """kill -9 of the worker that comes to one point first."""

    file: ClassVar[str]

    def prepare(self, system: System) -> None:
        (system.folder / DIED_FILE).unlink(missing_ok=True)
        (system.folder / self.file).touch()

    def strike(self, system: System, rng: random.Random) -> None:  # noqa: ARG002
        if not wait_for(system.folder / DIED_FILE):
            (system.folder / self.file).unlink(missing_ok=True)
            raise NotStruckError(f"no worker came to {self.file}")


class Lasting(Fault):
    """A fault that lasts as long as somebody wants; in a round `lasts_s`."""

    lasts_s: ClassVar[float] = 0.0

    def wrong(self, system: System, rng: random.Random) -> AbstractContextManager[None]:
        """Inside of it something is wrong. Raises NotStruckError."""
        raise NotImplementedError

    def strike(self, system: System, rng: random.Random) -> None:
        with self.wrong(system, rng):
            time.sleep(self.lasts_s)


def wait_for(file: Path) -> bool:
    """Until a process under test left it there, so that no fault passes by unnoticed on a slow or fast machine.

    Returns whether it is there.
    """
    until = time.monotonic() + _WITHIN_S
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.01)
    return file.exists()

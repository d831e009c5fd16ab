"""What a fault is. `strike` makes it, keeps it as long as it lasts and takes it away again."""

from __future__ import annotations

import random
from typing import ClassVar

from benchmarks.chaos.machine.system import System


class Fault:
    """`name` is what options and tables say."""

    name: ClassVar[str]
    #: Work that was done may be done again.
    repeats: ClassVar[bool] = True
    #: The round's first bundle holds a picture that can never be worked on.
    poison: ClassVar[bool] = False

    @classmethod
    def missing(cls, database: str) -> str:  # noqa: ARG003 - for those that ask
        """What this machine or the kind of database lacks for it; empty if nothing."""
        return ""

    def strike(self, system: System, rng: random.Random) -> None:
        raise NotImplementedError

"""What every entry is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Work:
    """The same for all entries of a run."""

    pictures: Sequence[bytes]  #: JPEG files; frame n is picture n modulo their number
    frames: int  #: in one measurement
    folder: Path  #: for databases and servers; each entry makes its own in it
    postgres: str = ""  #: URL of a database for the benchmark alone
    peers_python: Path | None = None  #: an interpreter that has ray and litserve
    torch_python: Path | None = None  #: an interpreter that has torch and ultralytics
    limit_now: Callable[[], float] | None = None  #: runs the limit for a moment and gives its frames/s

    def picture(self, number: int) -> bytes:
        return self.pictures[number % len(self.pictures)]

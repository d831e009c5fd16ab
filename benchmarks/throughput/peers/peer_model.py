"""What peers serve: the same models, decode and table as the limit's loop. Imports nothing that a peer may not have."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

BATCH = 8  #: in one call of a replica
REPLICAS = len(os.sched_getaffinity(0))  #: each with a thread: the split that is the best for the limit's loop
WAIT_S = 0.01  #: for a batch to fill
#: Folders, apart by `:`, where Sightline's dependencies are; looked into after the peer's own.
PACKAGES = "THROUGHPUT_PACKAGES"


def use_our_packages() -> None:
    sys.path.extend(folder for folder in os.environ[PACKAGES].split(os.pathsep) if folder not in sys.path)


class PeerModel:
    def __init__(self, folder: Path) -> None:
        from benchmarks.throughput.reader import Reader, Table
        from sightline.settings import load_settings

        self._reader = Reader(load_settings(data_dir=folder, threads=1))
        self._table = Table(folder / f"peer{os.getpid()}.sqlite3", journal="wal")
        self._count = 0

    def read(self, pictures: Sequence[bytes]) -> list[int]:
        """How many plates were read in each; all their rows are committed together."""
        found = self._reader.read(pictures)
        frames = [str(self._count + place) for place in range(len(pictures))]
        self._count += len(pictures)
        self._table.insert(frames, found)
        return [sum(self._reader.is_read(one) for one in each) for each in found]

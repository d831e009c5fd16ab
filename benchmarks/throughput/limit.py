"""The most that this machine gives: a loop in one process, no queue, no ledger, with the best split of its threads.

`lanes` loops run side by side, each with models of its own that use `threads` threads; what is best depends on the
machine, so a small sweep finds it first.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from queue import Empty, SimpleQueue

from benchmarks.throughput.reader import Reader, Table
from benchmarks.throughput.samples import Sample
from benchmarks.throughput.work import Work
from sightline.capacity.meter import Meter
from sightline.local.machine import count_cores
from sightline.settings import load_settings

NAME = "limit"
_BATCHES = (1, 4, 16)
_SWEEP_FRAMES, _SWEEPS = 24, 3


@dataclass(frozen=True)
class Split:
    lanes: int  #: loops side by side
    threads: int  #: of the models of each
    batch: int  #: pictures in one call

    def __str__(self) -> str:
        return f"{self.lanes} x {self.threads} threads, batch {self.batch}"


class Limit:
    """Keeps its models from round to round. A sweep finds `split`, unless it is given."""

    def __init__(self, work: Work, split: Split | None = None) -> None:
        self._work = work
        self._numbers = count()
        self._readers: dict[int, list[Reader]] = {}
        self.split = split or self._sweep()
        self._readers = {self.split.threads: self._readers.get(self.split.threads, [])}

    def measure(self) -> list[Sample]:
        meter = Meter({"loop": os.getpid()})
        read = self._run(self.split, self._work.frames)
        frames = self._work.frames
        return [Sample(NAME, frames / meter.wall_s(), "frames/s", NAME, meter.cpu_ms(frames), read / frames)]

    def now(self) -> float:
        """Frames a second at this moment."""
        frames = max(_SWEEP_FRAMES, self._work.frames // 2)
        meter = Meter({})
        self._run(self.split, frames)
        return frames / meter.wall_s()

    def _sweep(self) -> Split:
        """First how to split the threads, then how many pictures to a call."""
        cores = count_cores()
        lanes = {1, cores, max(1, cores // 2)}
        best = self._fastest([Split(n, cores // n, 4) for n in sorted(lanes)])
        return self._fastest([Split(best.lanes, best.threads, batch) for batch in _BATCHES])

    def _fastest(self, splits: list[Split]) -> Split:
        """In turns, so that a bad moment of the machine does not decide."""
        found = [(self._frames_per_s(split), split) for _ in range(_SWEEPS) for split in splits]
        return max(found, key=lambda each: each[0])[1]

    def _frames_per_s(self, split: Split) -> float:
        self._run(split, split.lanes * split.batch)  # loads the models, and shows them this batch
        frames = max(min(_SWEEP_FRAMES, self._work.frames), split.lanes * split.batch)
        meter = Meter({})
        self._run(split, frames)
        return frames / meter.wall_s()

    def _run(self, split: Split, frames: int) -> int:
        """Read and store so many frames. Returns how many plates were read."""
        readers = self._readers.setdefault(split.threads, [])
        while len(readers) < split.lanes:
            readers.append(Reader(load_settings(data_dir=self._work.folder, threads=split.threads)))
        batches: SimpleQueue[list[int]] = SimpleQueue()
        for start in range(0, frames, split.batch):
            batches.put(list(range(start, min(start + split.batch, frames))))
        table = Table(self._work.folder / f"limit{next(self._numbers)}.sqlite3", journal="wal")
        with ThreadPoolExecutor(split.lanes, thread_name_prefix="lane") as pool:
            read = list(pool.map(lambda reader: self._loop(reader, batches, table), readers[: split.lanes]))
        table.close()
        return sum(read)

    def _loop(self, reader: Reader, batches: SimpleQueue[list[int]], table: Table) -> int:
        read, name = 0, threading.current_thread().name
        with suppress(Empty):
            while numbers := batches.get_nowait():
                found = reader.read([self._work.picture(number) for number in numbers])
                table.insert([f"{name}-{number}" for number in numbers], found)
                read += sum(reader.is_read(one) for each in found for one in each)
        return read

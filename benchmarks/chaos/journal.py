"""A producer's journal: what it knows of each job, one JSON line a fact, on disk before the next step.

`trying` comes before a publish and holds the job, so that a producer that was killed repeats it with the same ids.
A job that has no other line after it is unknown: it may have been accepted or not. A camera's journal is the same, but
a camera repeats nothing: there a job may stay unknown.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sightline.wire.messages import Job

Verdict = Literal["unknown", "accepted", "refused"]


@dataclass
class Entry:
    """One job, as far as its producer knows."""

    job: Job
    round: int | None  #: None: the producer does not know of rounds
    poison: bool
    verdict: Verdict = "unknown"
    refused: frozenset[str] = frozenset()  #: ids of frames that were not accepted although others of the job were
    tries: int = 0
    repeated: bool = True  #: its producer publishes it until it knows

    @property
    def frame_ids(self) -> set[str]:
        """All that may have been accepted."""
        return {frame.frame_id for frame in self.job.frames} - self.refused

    @property
    def accepted_frames(self) -> dict[str, str]:
        """Source by frame id."""
        if self.verdict != "accepted":
            return {}
        return {frame.frame_id: frame.source_id for frame in self.job.frames if frame.frame_id not in self.refused}


class Journal:
    """Append with `write`; `read` gives the entries by job id and goes on from where it was before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.entries: dict[str, Entry] = {}
        path.touch()

    def write(
        self, job_id: str, state: Literal["trying", "unknown", "full", "accepted", "refused"], **more: Any
    ) -> None:
        line = json.dumps({"job_id": job_id, "state": state, "at": time.time(), **more}) + "\n"
        with self._path.open("ab") as file:
            if file.tell() and not self._ends_with_newline():
                file.write(b"\n")  # the last writer was killed in the middle of its line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> dict[str, Entry]:
        for fact in self._new_facts():
            self._learn(fact)
        return self.entries

    def _learn(self, fact: dict[str, Any]) -> None:
        job_id, state = fact["job_id"], fact["state"]
        if state == "trying":
            if job_id not in self.entries:
                self.entries[job_id] = Entry(Job.model_validate(fact["job"]), fact["round"], fact["poison"])
            self.entries[job_id].tries += 1
        elif state == "accepted":
            self.entries[job_id].verdict = "accepted"
            self.entries[job_id].refused = frozenset(fact["refused"])
        elif state == "refused":
            self.entries[job_id].verdict = "refused"

    def _new_facts(self) -> Iterator[dict[str, Any]]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                try:
                    yield json.loads(line)
                except json.JSONDecodeError:
                    continue  # cut off by a kill; the fact was not acted on

    def _ends_with_newline(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"

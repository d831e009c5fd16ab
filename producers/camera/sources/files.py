"""Video files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from producers.camera.sources.sampling import Pacer
from producers.camera.sources.source import SourceOptions, StreamFacts
from producers.camera.sources.video import VideoGrab, facts_of
from sightline.errors import SourceError
from sightline.video.file import VideoFile


class FileSource:
    """A video file. Live it is played at its own speed, from the archive as fast as it is taken."""

    def __init__(self, path: Path, options: SourceOptions, stop: threading.Event) -> None:
        self.name = path.name
        self.shortfall: str | None = None
        if path.is_dir():
            raise SourceError(f"{path}: is a folder; to read the photos that are dropped into it, write {path}/")
        self._path = path
        self._options = options
        self._stop = stop
        self._file = self._open()
        try:
            self.edition = file_edition(path)
            self._started_at = self._file.recorded_at or _written_from(path, self._file)
        except OSError as error:
            self._file.close()
            raise SourceError(f"{path}: {error.strerror}") from error

    @property
    def facts(self) -> StreamFacts:
        return facts_of(self._file.container)

    def grabs(self) -> Iterator[VideoGrab]:
        pacer = Pacer(self._stop) if self._options.preset == "live" else None
        passed_s = 0.0  # of the passes before this one
        while True:
            for placed in self._file.pictures():
                at_s = passed_s + placed.at_s
                if pacer is not None and not pacer.wait(at_s):
                    return
                yield VideoGrab(at_s, self._captured_at(at_s), placed.picture)
            self.shortfall = self._file.ended_early and f"{self._path}: {self._file.ended_early}"
            if not self._options.loop or self._stop.is_set():
                return
            passed_s += self._file.end_s
            self.close()
            self._file = self._open()

    def close(self) -> None:
        self._file.close()

    def _open(self) -> VideoFile:
        return VideoFile(
            self._path,
            frame_threads=self._options.preset == "archive",
            open_timeout_s=self._options.open_timeout_s,
            read_timeout_s=self._options.read_timeout_s,
            hardware=self._options.hardware,
        )

    def _captured_at(self, at_s: float) -> datetime:
        return datetime.now(UTC) if self._options.preset == "live" else self._started_at + timedelta(seconds=at_s)


def file_edition(path: Path) -> str:
    """Names what is in the file now: its size and the time of its writing. Raises `OSError`."""
    file = path.stat()
    return f"{file.st_size}:{file.st_mtime_ns}"


def _written_from(path: Path, file: VideoFile) -> datetime:
    """When a recording that does not say so began: its length before the file was last written."""
    return datetime.fromtimestamp(path.stat().st_mtime - (file.duration_s or 0.0), UTC)

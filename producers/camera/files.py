"""Video files."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
from av.container import InputContainer

from producers.camera.source import SourceOptions
from producers.camera.video import Container, VideoGrab
from sightline.errors import SourceError


class FileSource:
    """A video file. Live it is played at its own speed, from the archive as fast as it is taken."""

    def __init__(self, path: Path, options: SourceOptions, stop: threading.Event) -> None:
        self.name = path.name
        self._path = path
        self._options = options
        self._stop = stop
        self._container = self._open()
        try:
            file = path.stat()
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from error
        self.edition = f"{file.st_size}:{file.st_mtime_ns}"
        self._started_at = _recorded_at(self._container.av, file.st_mtime)

    def grabs(self) -> Iterator[VideoGrab]:
        passed_s = 0.0  # of the passes before this one
        while True:
            at_s = None
            for at_s, media in self._pass(passed_s):
                yield VideoGrab(at_s, self._captured_at(at_s), media)
            if at_s is None:
                raise SourceError(f"{self._path}: no frame in it could be decoded")
            if not self._options.loop or self._stop.is_set():
                return
            passed_s = at_s + self._container.frame_s
            self.close()
            self._container = self._open()

    def close(self) -> None:
        self._container.av.close()

    def _open(self) -> Container:
        frame_threads = self._options.preset == "archive"
        options = {"protocol_whitelist": "file,crypto"}
        return Container(str(self._path), self._options, options, frame_threads=frame_threads)

    def _pass(self, passed_s: float) -> Iterator[tuple[float, av.VideoFrame | av.Packet]]:
        """The file once."""
        pace_from = time.monotonic() - passed_s
        for stamp_s, media in self._container.stamped_media():
            at_s = passed_s + stamp_s
            if self._options.preset == "live":
                early_s = pace_from + at_s - time.monotonic()
                if early_s < -1.0:  # too slow, or the machine slept: go on from here
                    pace_from -= early_s
                if early_s > 0 and self._stop.wait(early_s):
                    return
            yield at_s, media

    def _captured_at(self, at_s: float) -> datetime:
        return datetime.now(UTC) if self._options.preset == "live" else self._started_at + timedelta(seconds=at_s)


def _recorded_at(container: InputContainer, modified_at_s: float) -> datetime:
    """When a recording began: as it says itself, else its length before the file was last written."""
    try:
        said = datetime.fromisoformat(container.metadata.get("creation_time", ""))
        if said.year >= 1990:  # clocks that were never set say 1904 or 1970
            return said if said.tzinfo else said.replace(tzinfo=UTC)
    except ValueError:
        pass
    return datetime.fromtimestamp(modified_at_s - (container.duration or 0) / av.time_base, UTC)

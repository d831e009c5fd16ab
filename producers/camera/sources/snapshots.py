"""Cameras that give one picture a request."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

import cv2
import numpy as np

from producers.camera.sources.arrays import small_gray
from producers.camera.sources.http import CameraHttp, HttpFile
from producers.camera.sources.source import BgrImage, SourceOptions, StreamFacts
from sightline.errors import BadImageError, SourceError
from sightline.images.header import check_image
from sightline.redaction import redact_url
from sightline.video.words import explain

#: So many requests in a row without a whole picture, and the camera is opened again.
_MOST_FAILED: Final = 3


@dataclass(slots=True)
class SnapshotGrab:
    """A picture as it was sent, decoded when it is asked for; None: what came was none."""

    at_s: float
    captured_at: datetime
    jpeg: bytes | None
    stamp_s = None
    is_key = True
    _image: BgrImage | None = None

    @property
    def damaged(self) -> bool:
        return self.jpeg is None

    def gray(self, width: int) -> BgrImage:
        return small_gray(self.bgr(), width)

    def bgr(self) -> BgrImage:
        if self._image is None:
            data = np.frombuffer(self.jpeg or b"\0", np.uint8)
            image = cv2.imdecode(data, cv2.IMREAD_COLOR)  # upright, as its EXIF says
            if image is None:
                raise SourceError("a picture could not be decoded")
            self._image = cast("BgrImage", image)
        return self._image


class SnapshotSource:
    """Asks for a picture `fps` times a second, as far as the camera answers so often.

    One that the camera says is still the same is not sent again, and is no frame.
    """

    name = ""
    shortfall: str | None = None

    def __init__(
        self, url: str, http: CameraHttp, first: HttpFile, options: SourceOptions, stop: threading.Event
    ) -> None:
        """`first`: the answer that showed what camera it is."""
        self._url = url
        self._http = http
        self._options = options
        self._stop = stop
        self._first: HttpFile | None = first
        self._since: dict[str, str] = {}
        self.edition = datetime.now(UTC).isoformat()
        self.facts: StreamFacts | None = None

    def grabs(self) -> Iterator[SnapshotGrab]:
        failed, due_s = 0, time.monotonic()
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            asked_s = time.monotonic()
            due_s = max(asked_s, due_s + 1 / self._options.fps)
            at = datetime.now(UTC)
            try:
                picture = self._fetch()
            except (SourceError, BadImageError) as error:
                failed += 1
                if failed == _MOST_FAILED:
                    raise SourceError(f"{redact_url(self._url)}: {error}") from error
                yield SnapshotGrab(asked_s, at, None)
                continue
            except OSError as error:
                raise SourceError(f"{redact_url(self._url)}: {self._explain(error)}") from error
            failed = 0
            if picture is not None:
                yield SnapshotGrab(asked_s, at, picture)

    def close(self) -> None:
        self._http.close()

    def _fetch(self) -> bytes | None:
        """The picture of now; None: still the same."""
        file, self._first = self._first, None
        file = file or HttpFile(self._http, headers=self._since)
        try:
            if file.status == 304:
                return None
            data = self._read(file)
        finally:
            file.close()
        info = check_image(data, max_mb=self._options.limits.max_mb, max_mpx=self._options.limits.max_mpx)
        self.facts = StreamFacts("single pictures", info.format.upper(), info.width, info.height, None)
        tags = {"If-None-Match": file.headers.get("etag"), "If-Modified-Since": file.headers.get("last-modified")}
        self._since = {name: value for name, value in tags.items() if value}
        return data

    def _read(self, file: HttpFile) -> bytes:
        most = int(self._options.limits.max_mb * 1e6)
        data = bytearray()
        while (part := file.read(1 << 16)) and len(data) <= most:
            data += part
        return bytes(data)

    def _explain(self, error: OSError) -> str:
        if isinstance(error, TimeoutError):
            return f"silent for {self._options.read_timeout_s:g} s"
        return explain(error, self._url, was_open=True)

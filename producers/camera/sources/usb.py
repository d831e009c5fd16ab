"""A camera on this machine, by index. OpenCV, because it finds cameras the same way on every platform."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import cv2
import numpy as np

from producers.camera.sources.arrays import small_gray
from producers.camera.sources.source import BgrImage, SourceOptions, StreamFacts
from sightline.errors import BadImageError, SourceError
from sightline.images.header import check_image

_SIZE_AND_RATE = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)


@dataclass(slots=True)
class UsbGrab:
    at_s: float
    captured_at: datetime
    _capture: cv2.VideoCapture
    _image: BgrImage | None = None
    damaged: bool = False  #: nobody says so
    stamp_s = None
    is_key = True

    def gray(self, width: int) -> BgrImage:
        return small_gray(self.bgr(), width)

    def bgr(self) -> BgrImage:
        if self._image is None:
            taken, image = self._capture.retrieve()
            if not taken:
                raise SourceError("a frame could not be decoded")
            self._image = _decoded(image.tobytes()) if image.shape[0] == 1 else cast("BgrImage", image)
        return self._image


class UsbSource:
    """Frames are grabbed at the camera's rate and decoded only when their pixels are asked for."""

    name = ""
    shortfall: str | None = None

    def __init__(self, index: int, options: SourceOptions) -> None:
        self._index = index
        self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened():
            raise SourceError(f"USB camera {index}: cannot be opened; is it plugged in, and free?")
        self._capture.set(cv2.CAP_PROP_READ_TIMEOUT_MSEC, options.read_timeout_s * 1000)  # where the back end knows it
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, not the oldest
        _leave_jpegs_as_they_are(self._capture)
        self.edition = datetime.now(UTC).isoformat()

    @property
    def facts(self) -> StreamFacts:
        width, height, fps = (self._capture.get(of) for of in _SIZE_AND_RATE)
        return StreamFacts("USB", "raw", round(width), round(height), fps or None)

    def grabs(self) -> Iterator[UsbGrab]:
        while self._capture.grab():
            yield UsbGrab(time.monotonic(), datetime.now(UTC), self._capture)
        raise SourceError(f"USB camera {self._index}: no more frames; was it unplugged?")

    def close(self) -> None:
        self._capture.release()


def _leave_jpegs_as_they_are(capture: cv2.VideoCapture) -> None:
    """OpenCV decodes what is left of a cut-off one, and says nothing. Of Linux alone it is known how to get them."""
    is_mjpeg = int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*"MJPG")
    if is_mjpeg and capture.getBackendName() == "V4L2":
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)


def _decoded(jpeg: bytes) -> BgrImage:
    try:
        check_image(jpeg.rstrip(b"\0"), max_mb=math.inf, max_mpx=math.inf)  # drivers fill up their buffers
    except BadImageError as error:
        raise SourceError(f"a frame could not be decoded: {error}") from error
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError("a frame could not be decoded")
    return cast("BgrImage", image)

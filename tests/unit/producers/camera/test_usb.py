"""USB cameras, with a stub in the place of OpenCV's capture."""

from __future__ import annotations

import threading
from typing import Any

import cv2
import numpy as np
import pytest

from producers.camera.sources import usb
from producers.camera.sources.opening import open_source
from producers.camera.sources.source import SourceOptions
from sightline.errors import SourceError
from tests.cameras import picture


class _Capture:
    """A USB camera that gives three frames."""

    def __init__(self, index: int) -> None:
        self.index, self.left, self.retrieved, self.released = index, 3, 0, False

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.index == 0

    def set(self, *_: object) -> None: ...

    def get(self, _what: int) -> float:
        return 0.0

    def grab(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def retrieve(self) -> tuple[bool, Any]:
        self.retrieved += 1
        return True, picture(0)

    def release(self) -> None:
        self.released = True


class _JpegCapture(_Capture):
    """One that sends MJPEG, as Linux gives it: its second picture is cut off."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.raw = False

    def get(self, _what: int) -> float:
        return float(cv2.VideoWriter.fourcc(*"MJPG"))

    def getBackendName(self) -> str:  # noqa: N802 - OpenCV's name
        return "V4L2"

    def set(self, *given: object) -> None:
        self.raw = self.raw or given == (cv2.CAP_PROP_CONVERT_RGB, 0)

    def retrieve(self) -> tuple[bool, Any]:
        assert self.raw
        jpeg = cv2.imencode(".jpg", picture(0))[1].tobytes()
        data = jpeg[:1500] if self.left == 1 else jpeg
        return True, np.frombuffer(data + bytes(64), np.uint8).reshape(1, -1)


def test_a_cut_off_picture_of_a_usb_camera_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usb.cv2, "VideoCapture", _JpegCapture)
    grabs = open_source("0", SourceOptions(), threading.Event()).grabs()
    assert np.abs(next(grabs).bgr().astype(int) - picture(0)).mean() < 3
    with pytest.raises(SourceError, match="cut off"):
        next(grabs).bgr()
    assert next(grabs).gray(160).shape == (120, 160)


def test_usb_camera_decodes_what_is_asked_for_and_breaks_when_unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usb.cv2, "VideoCapture", _Capture)
    source: Any = open_source("0", SourceOptions(), threading.Event())
    grabs = source.grabs()
    first = next(grabs)
    assert (first.gray(160).shape, first.bgr().shape) == ((120, 160), (240, 320, 3))
    next(grabs), next(grabs)
    assert source._capture.retrieved == 1
    with pytest.raises(SourceError, match="unplugged"):
        next(grabs)
    source.close()
    assert source._capture.released
    with pytest.raises(SourceError, match="USB camera 7: cannot be opened"):
        open_source("7", SourceOptions(), threading.Event())

"""What a source is, and which kind a URL asks for: a stream, a file or a USB camera."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import unquote, urlsplit

import numpy as np
import numpy.typing as npt

from sightline.errors import SourceError
from sightline.redaction import redact_url

BgrImage = npt.NDArray[np.uint8]

STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")


class Grab(Protocol):
    """One frame a source delivered. Its pixels cost nothing until they are asked for."""

    at_s: float  #: seconds on the source's own clock
    captured_at: datetime

    def gray(self, width: int) -> BgrImage:
        """A small gray image, (height, width). Raises `SourceError` if the frame cannot be decoded."""
        ...

    def bgr(self) -> BgrImage:
        """The full picture, upright, (height, width, 3). Raises `SourceError` if the frame cannot be decoded."""
        ...


class Source(Protocol):
    """An open camera or file."""

    edition: str  #: names what is read: it changes with the file, and with every opening of a stream
    name: str  #: for people: the file name, else empty

    def grabs(self) -> Iterator[Grab]:
        """Frames until the source ends by itself. A grab is valid until the next one.

        Raises:
            SourceError: it broke, or was silent for too long.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class SourceOptions:
    """How a source is read."""

    preset: Literal["live", "archive"] = "live"
    loop: bool = False  #: a file begins anew at its end
    open_timeout_s: float = 10.0
    read_timeout_s: float = 10.0


def open_source(url: str, options: SourceOptions, stop: threading.Event) -> Source:
    """Open what `url` names: `rtsp://…`, `http://…`, a video file, or a USB index such as `0`.

    Args:
        stop: ends the waits of a source that is paced.

    Raises:
        SourceError: the URL is of no kind we know, or what it names cannot be opened.
    """
    from producers.camera.files import FileSource
    from producers.camera.streams import StreamSource
    from producers.camera.usb import UsbSource

    if url.isdecimal():
        return UsbSource(int(url), options)
    if is_file(url):
        return FileSource(file_path(url), options, stop)
    return StreamSource(url, options)


def is_file(url: str) -> bool:
    """Whether `url` names a file: not a stream, not a USB index."""
    return not url.isdecimal() and urlsplit(url).scheme not in STREAM_SCHEMES


def file_path(url: str) -> Path:
    """The path behind a plain path or a `file://` URL.

    Raises:
        SourceError: it is a URL of another kind.
    """
    if "://" not in url:
        return Path(url)
    parts = urlsplit(url)
    if parts.scheme != "file":
        known = ", ".join(STREAM_SCHEMES)
        raise SourceError(f"{redact_url(url)}: use one of {known}, a video file, or a USB index such as 0")
    return Path(unquote(parts.path))

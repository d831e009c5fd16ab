"""What a source is: an open camera or file that gives frames. No implementation here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from sightline.images.header import ImageLimits

BgrImage = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class StreamFacts:
    """What a source says of itself."""

    kind: str  #: `RTSP`, `HLS`, `single pictures`, …
    codec: str
    width: int
    height: int
    stated_fps: float | None
    latency_s: float | None = None  #: from sending to here, by the camera's own clock, of the newest; None: not said


class Grab(Protocol):
    """One frame a source delivered. Its pixels cost nothing until they are asked for."""

    @property
    def at_s(self) -> float:
        """Seconds on the source's own clock."""
        ...

    @property
    def captured_at(self) -> datetime: ...

    @property
    def stamp_s(self) -> float | None:
        """Its time stamp as the source says, which may be anything; None: it says nothing."""
        ...

    @property
    def is_key(self) -> bool:
        """Whether it can be decoded without the ones before."""
        ...

    @property
    def damaged(self) -> bool:
        """Whether it arrived broken: parts of it are guessed or missing, and no reading of it is to be trusted."""
        ...

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
    shortfall: str | None  #: what of a file that ended could not be read, for people

    @property
    def facts(self) -> StreamFacts | None:
        """What it is; None: not known, or not before the first picture."""
        ...

    def grabs(self) -> Iterator[Grab]:
        """Frames until the source ends by itself, those that arrived broken among them. A grab is valid until the next.

        Raises:
            SourceError: it broke, or was silent for too long.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class SourceOptions:
    """How a source is read."""

    preset: Literal["live", "archive"] = "live"
    fps: float = 5.0  #: pictures a second that are wanted: a camera of single pictures is asked that often
    loop: bool = False  #: a file begins anew at its end
    open_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    allow_private: bool = False  #: a camera may lead to other addresses of one's own network, whatever its own is
    hardware: str = "off"  #: what decodes: `off`, `auto`, or a type of FFmpeg's
    on_demand: bool = False  #: of a stream nothing is decoded before its pixels are asked for, from any thread
    limits: ImageLimits = field(default_factory=lambda: ImageLimits(20, 100))  #: larger single pictures are refused

"""What a source is: an open camera or file that gives frames. No implementation here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

BgrImage = npt.NDArray[np.uint8]


class Grab(Protocol):
    """One frame a source delivered. Its pixels cost nothing until they are asked for."""

    at_s: float  #: seconds on the source's own clock
    captured_at: datetime

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
    loop: bool = False  #: a file begins anew at its end
    open_timeout_s: float = 10.0
    read_timeout_s: float = 10.0

"""Doubles for tests of code that uses Sightline, and pictures they can read. Needs neither numpy nor OpenCV.

A synthetic picture shows one plate: gray and white cells that spell a text, bright on a dark ground. It survives JPEG,
scaling and a margin, so a test can follow the text of each frame through real queues without a real model.
"""

from __future__ import annotations

import re
import struct
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sightline.submission.sequences import LIVE
from sightline.types import Detection, FrameRef, Reading
from sightline.wire.models import LoadedModel

__all__ = ["MemoryFrameStore", "StubDetector", "StubRecognizer", "make_frame_refs", "make_picture"]

#: A numpy array of shape (height, width, 3); not named as such, for the floor does not know numpy.
BgrImage = Any

_KEY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
_BITS = 8
_GROUND, _ZERO, _ONE = 16, 144, 255
_IS_PLATE, _IS_ONE = 80, 200


class MemoryFrameStore:
    """A frame store in a dict. `pixels` is open for tests to look at."""

    def __init__(self) -> None:
        self.pixels: dict[str, bytes] = {}

    def put_many(self, pixels: Mapping[str, bytes]) -> None:
        for key in pixels:
            if not _KEY.fullmatch(key):
                raise ValueError(f"not a frame store key: {key!r}")
        self.pixels.update(pixels)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self.pixels.get(key) for key in keys]

    def delete_many(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.pixels.pop(key, None)

    def put_bundle(self, name: str, pixels: Mapping[str, bytes]) -> None:  # noqa: ARG002
        self.put_many(pixels)

    def get_bundle(self, name: str, keys: Sequence[str]) -> list[bytes | None]:  # noqa: ARG002
        return self.get_many(keys)

    def delete_bundles(self, bundles: Mapping[str, Sequence[str]]) -> None:
        for keys in bundles.values():
            self.delete_many(keys)

    def prune(self) -> int:
        return 0

    def keys_before(self, time_s: float) -> Iterator[str]:  # noqa: ARG002
        return iter(())


class StubDetector:
    """Finds the plate of a synthetic picture; other pictures hold nothing for it.

    `call_ms`: how long a call takes beyond that, however many images are in it, as if a GPU worked on them.
    """

    model = LoadedModel(name="stub", sha256="", runtime="stub", labels=("plate",))

    def __init__(self, name: str = "stub", *, call_ms: float = 0.0) -> None:
        self.model = self.model.model_copy(update={"name": name})
        self._call_s = call_ms / 1000

    def detect(self, images: Sequence[BgrImage]) -> list[list[Detection]]:
        if self._call_s:
            time.sleep(self._call_s)
        return [self._detect(image) for image in images]

    def warm(self) -> None:
        """There is nothing to warm."""

    def _detect(self, image: BgrImage) -> list[Detection]:
        box = _find_plate(image)
        if box is None:
            return []
        left, top, right, bottom = box
        xyxy = (float(left), float(top), float(right), float(bottom))
        return [Detection(xyxy=xyxy, label="plate", class_id=0, confidence=0.9)]


class StubRecognizer:
    """Reads the plate of a synthetic picture, or a crop of it; everything else reads as nothing."""

    model = LoadedModel(name="stub", sha256="", runtime="stub")

    def recognize(self, crops: Sequence[BgrImage]) -> list[Reading]:
        return [self._recognize(crop) for crop in crops]

    def _recognize(self, crop: BgrImage) -> Reading:
        text = _read_plate(crop)
        if not text:
            return Reading(text="", confidence=0.0)
        return Reading(text=text, confidence=0.9, char_confidences=(0.9,) * len(text))


def make_frame_refs(count: int, *, source_id: str = "test", start: datetime | None = None) -> list[FrameRef]:
    """`count` frames of one camera, a tenth of a second apart, with new ids."""
    start = start or datetime.now(UTC)
    return [
        FrameRef(
            frame_id=uuid4().hex,
            source_id=source_id,
            captured_at=start + timedelta(seconds=seq / 10),
            seq=seq,
            sequence=LIVE,
        )
        for seq in range(count)
    ]


def make_picture(text: str, *, width: int = 320, height: int = 240) -> bytes:
    """A synthetic picture as a PNG file. `text` is ASCII; one column of eight cells stands for one character."""
    cell = min(8, width // (len(text) + 2), height // (_BITS + 2))
    if cell < 4:
        raise ValueError(f"{width}x{height} pixels are too few for {text!r}")
    codes = text.encode("ascii")
    left, top = (width - cell * len(codes)) // 2, (height - cell * _BITS) // 2
    rows = [bytes([_GROUND]) * width] * height
    for bit in range(_BITS if codes else 0):
        cells = b"".join(bytes([_ONE if code >> (_BITS - 1 - bit) & 1 else _ZERO]) * cell for code in codes)
        row = bytes([_GROUND]) * left + cells
        rows[top + bit * cell : top + (bit + 1) * cell] = [row.ljust(width, bytes([_GROUND]))] * cell
    return _png(width, height, rows)


def _png(width: int, height: int, rows: Sequence[bytes]) -> bytes:
    """Rows of gray pixels as a PNG file."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _find_plate(image: BgrImage) -> tuple[int, int, int, int] | None:
    """The smallest box, x1, y1, x2, y2, around all that is bright."""
    bright = image.max(axis=2) > _IS_PLATE
    rows, columns = bright.any(axis=1).nonzero()[0], bright.any(axis=0).nonzero()[0]
    if len(rows) < _BITS or len(columns) == 0:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _read_plate(image: BgrImage) -> str:
    box = _find_plate(image)
    if box is None:
        return ""
    left, top, right, bottom = box
    cell = (bottom - top) / _BITS
    codes: list[int] = []
    for column in range(round((right - left) / cell)):
        x = min(int(left + (column + 0.5) * cell), right - 1)
        centers = [image[int(top + (bit + 0.5) * cell), x].mean() > _IS_ONE for bit in range(_BITS)]
        codes.append(sum(int(bit) << (_BITS - 1 - place) for place, bit in enumerate(centers)))
    text = bytes(codes).decode("latin-1")
    return text if text.isascii() and text.isprintable() else ""

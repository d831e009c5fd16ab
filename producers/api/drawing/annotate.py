"""Draws what was found onto a stored picture, on demand: the stored one stays clean."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from sightline.errors import BadImageError
from sightline.images.conversion import opaque
from sightline.images.header import ImageLimits, check_image
from sightline.types import Detection, FrameResult, Point, Reading, Xyxy

Image = npt.NDArray[np.uint8]
Color = tuple[int, int, int]  # blue, green, red

_READ: Final[Color] = (104, 196, 56)
_FOUND: Final[Color] = (40, 166, 250)
_INK: Final[Color] = (24, 20, 16)
_FONT: Final = cv2.FONT_HERSHEY_DUPLEX
#: Of pictures that were accepted once.
LIMITS: Final = ImageLimits(max_mb=1000.0, max_mpx=100.0)
#: Decoded pictures are large: so many are worked on at once, the others wait.
_turn: Final = threading.BoundedSemaphore(2)


def annotate(picture: bytes, result: FrameResult, *, max_width_px: int = 1280) -> bytes:
    """The picture as JPEG, at most `max_width_px` wide, with boxes and the texts read in them.

    Raises:
        BadImageError: the stored picture is damaged.
    """
    with _turn:
        image = decode(picture)
        scale = min(1.0, max_width_px / image.shape[1])
        if scale < 1.0:
            image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        readings = {reading.detection_index: reading for reading in result.readings}
        # Texts on top of all boxes, and what was read on top of what was only found.
        drawn = sorted(enumerate(result.detections), key=lambda entry: entry[0] in readings)
        outlines = [_outline(image, detection, scale, read=index in readings) for index, detection in drawn]
        for (index, detection), outline in zip(drawn, outlines, strict=True):
            _label(image, detection, readings.get(index), outline)
        return encode(image)


def cut(picture: bytes, xyxy: Xyxy, *, margin: float = 0.25) -> bytes:
    """The part of the picture inside a box, with a margin of its height, as JPEG.

    Raises:
        BadImageError: the stored picture is damaged, or the box lies outside of it.
    """
    with _turn:
        image = decode(picture)
        x1, y1, x2, y2 = xyxy
        pad = (y2 - y1) * margin
        left, top = max(0, int(x1 - pad)), max(0, int(y1 - pad))
        right, bottom = min(image.shape[1], int(x2 + pad) + 1), min(image.shape[0], int(y2 + pad) + 1)
        if right <= left or bottom <= top:
            raise BadImageError(f"box {xyxy} lies outside the picture of {image.shape[1]} x {image.shape[0]}")
        return encode(image[top:bottom, left:right])


def decode(picture: bytes) -> Image:
    """A picture that was stored, or may be.

    Raises:
        BadImageError: it is damaged, or of an unknown format.
    """
    check_image(picture, max_mb=LIMITS.max_mb, max_mpx=LIMITS.max_mpx)
    try:
        image = cv2.imdecode(np.frombuffer(opaque(picture, LIMITS), np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise BadImageError("the stored picture cannot be decoded") from error
    if image is None:
        raise BadImageError("the stored picture cannot be decoded")
    return np.asarray(image, np.uint8)


def encode(image: Image) -> bytes:
    """As JPEG."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def _outline(image: Image, detection: Detection, scale: float, *, read: bool) -> npt.NDArray[np.int32]:
    corners = np.array(detection.corners or corners_of(detection.xyxy), np.float64) * scale
    outline = np.clip(corners.round(), -10_000, 20_000).astype(np.int32)
    thickness = max(2, round(image.shape[1] / 640))
    cv2.polylines(image, [outline], True, _INK, thickness + 2, cv2.LINE_AA)  # seen on any ground
    cv2.polylines(image, [outline], True, _READ if read else _FOUND, thickness, cv2.LINE_AA)
    return outline


def _label(image: Image, detection: Detection, reading: Reading | None, outline: npt.NDArray[np.int32]) -> None:
    """A filled tag above the box, or below it where there is no room."""
    text = f"{reading.words}  {reading.confidence:.0%}" if reading else f"{detection.label}  {detection.confidence:.0%}"
    size = max(0.45, image.shape[1] / 1800)
    (width, height), baseline = cv2.getTextSize(text, _FONT, size, 1)
    pad = max(3, round(height * 0.4))
    tall, wide = height + baseline + pad, width + 2 * pad
    y = int(outline[:, 1].min()) - tall - 2
    top = y if y >= 0 else min(int(outline[:, 1].max()) + 3, image.shape[0] - tall)
    left = max(0, min(int(outline[:, 0].min()) - 2, image.shape[1] - wide))
    cv2.rectangle(image, (left, top), (left + wide, top + tall), _READ if reading else _FOUND, -1)
    cv2.putText(image, text, (left + pad, top + height + pad // 2), _FONT, size, _INK, 1, cv2.LINE_AA)


def corners_of(xyxy: Xyxy) -> Sequence[Point]:
    """Clockwise from top left."""
    x1, y1, x2, y2 = xyxy
    return ((x1, y1), (x2, y1), (x2, y2), (x1, y2))

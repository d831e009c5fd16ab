"""Draws what was found onto a stored picture, on demand: the stored one stays clean."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from sightline.errors import BadImageError
from sightline.types import Detection, FrameResult, Reading, Xyxy

Image = npt.NDArray[np.uint8]
Color = tuple[int, int, int]  # blue, green, red

_READ: Final[Color] = (80, 200, 60)
_FOUND: Final[Color] = (60, 170, 250)
_INK: Final[Color] = (20, 20, 20)
_FONT: Final = cv2.FONT_HERSHEY_DUPLEX
_MAX_WIDTH_PX: Final = 1280


def annotate(picture: bytes, result: FrameResult) -> bytes:
    """The picture as JPEG, at most 1280 px wide, with boxes and the texts read in them."""
    image = _decode(picture)
    scale = min(1.0, _MAX_WIDTH_PX / image.shape[1])
    if scale < 1.0:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    texts = {reading.detection_index: reading for reading in result.readings}
    for index, detection in enumerate(result.detections):
        _draw(image, detection, texts.get(index), scale)
    return encode_jpeg(image)


def cut(picture: bytes, xyxy: Xyxy, *, margin: float = 0.25) -> bytes:
    """The part of the picture inside a box, with a margin of its height, as JPEG."""
    image = _decode(picture)
    x1, y1, x2, y2 = xyxy
    pad = (y2 - y1) * margin
    left, top = max(0, int(x1 - pad)), max(0, int(y1 - pad))
    right, bottom = min(image.shape[1], int(x2 + pad) + 1), min(image.shape[0], int(y2 + pad) + 1)
    if right <= left or bottom <= top:
        raise BadImageError(f"box {xyxy} lies outside the picture of {image.shape[1]} x {image.shape[0]}")
    return encode_jpeg(image[top:bottom, left:right])


def encode_jpeg(image: Image) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def _decode(picture: bytes) -> Image:
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise BadImageError("the stored picture cannot be decoded")
    return np.asarray(image, np.uint8)


def _draw(image: Image, detection: Detection, reading: Reading | None, scale: float) -> None:
    color = _READ if reading else _FOUND
    corners = detection.corners or _corners(detection.xyxy)
    outline = (np.array(corners, np.float64) * scale).round().astype(np.int32)
    cv2.polylines(image, [outline], True, color, 2, cv2.LINE_AA)
    label = f"{reading.text} {reading.confidence:.0%}" if reading else f"{detection.label} {detection.confidence:.0%}"
    _draw_label(image, label, int(outline[:, 0].min()), int(outline[:, 1].min()), color)


def _draw_label(image: Image, text: str, x: int, y: int, color: Color) -> None:
    """A filled tag above the box, or inside the picture where there is no room."""
    size = max(0.5, image.shape[1] / 1600)
    (width, height), baseline = cv2.getTextSize(text, _FONT, size, 1)
    tall = height + baseline + 6
    top = y - tall if y >= tall else y
    left = max(0, min(x, image.shape[1] - width - 8))
    cv2.rectangle(image, (left, top), (left + width + 8, top + tall), color, -1)
    cv2.putText(image, text, (left + 4, top + height + 3), _FONT, size, _INK, 1, cv2.LINE_AA)


def _corners(xyxy: Xyxy) -> tuple[tuple[float, float], ...]:
    x1, y1, x2, y2 = xyxy
    return ((x1, y1), (x2, y1), (x2, y2), (x1, y2))

"""Pictures of cameras as arrays, by OpenCV: as JPEG, or small and gray, as the motion gate wants them."""

from __future__ import annotations

from typing import cast

import cv2

from producers.camera.sources.source import BgrImage
from sightline.errors import SourceError
from sightline.images.header import ImageLimits


def encode_jpeg(image: BgrImage, quality: int, limits: ImageLimits | None = None) -> bytes:
    """The picture, full size and as good as `quality` where that fits into the limits: else worse, and at last smaller.

    Raises:
        SourceError: it has a size that JPEG does not know.
    """
    if limits is None:
        return _encode(image, quality)
    height, width = image.shape[:2]
    shrink = min(1.0, (limits.max_mpx * 1e6 / (width * height)) ** 0.5)
    while True:
        size = max(1, int(width * shrink)), max(1, int(height * shrink))
        scaled = image
        if shrink < 1:
            scaled = cast("BgrImage", cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        for lower in range(quality, 0, -20):
            data = _encode(scaled, lower)
            if len(data) <= limits.max_mb * 1e6 or size == (1, 1):
                return data
        shrink /= 2


def small_gray(image: BgrImage, width: int) -> BgrImage:
    """The picture in gray, so many pixels wide."""
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return cast("BgrImage", cv2.cvtColor(small, cv2.COLOR_BGR2GRAY))


def _encode(image: BgrImage, quality: int) -> bytes:
    encoded, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not encoded:
        raise SourceError(f"a frame of {image.shape[1]} x {image.shape[0]} pixels could not be encoded as JPEG")
    return data.tobytes()

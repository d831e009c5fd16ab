"""Pixels in a worker: decode what came from the frame store, cut crops, encode them again."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from sightline.errors import BadImageError
from sightline.images import check_image
from sightline.types import Detection

#: A decoded picture, shape (height, width, 3), channels blue, green, red.
BgrImage = npt.NDArray[np.uint8]

#: Text taller than this many times its width is turned by a quarter, so that it can be read from left to right.
_TALL = 1.5
_SHARPNESS_HEIGHT = 48


def decode(data: bytes, *, max_mpx: float, max_mb: float = math.inf) -> BgrImage:
    """Decode a JPEG, PNG or WebP file, upright as its EXIF orientation says.

    The header is checked before anything is allocated, so OpenCV's own pixel limit is never what decides.

    Raises:
        BadImageError: not an accepted image, larger than the limits, truncated or damaged.
    """
    info = check_image(data, max_mb=max_mb, max_mpx=max_mpx)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(f"no memory to decode {info.width}x{info.height} pixels") from error
        raise BadImageError(f"cannot decode this {info.format} file: {error.err or error}") from error
    if image is None or image.size == 0:
        raise BadImageError(f"cannot decode this {info.format} file: its pixel data is damaged")
    if sorted(image.shape[:2]) != sorted((info.width, info.height)):
        raise BadImageError(
            f"header says {info.width}x{info.height}, data has {image.shape[1]}x{image.shape[0]} pixels"
        )
    return np.asarray(image, np.uint8)


def encode_jpeg(image: BgrImage, *, quality: int = 90) -> bytes:
    """The picture as a JPEG file; `quality` 1..100."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"cannot encode an image of shape {image.shape}")
    return data.tobytes()


def crop(image: BgrImage, detection: Detection, *, margin: float = 0.0) -> BgrImage:
    """Cut a detection out of its frame. Never empty, always a copy.

    With corners the text is rectified: tilted or skewed text comes out level, and text that runs upwards or downwards
    is turned by a quarter. Without corners the box is cut, clipped to the image. `margin` is a share of the box height
    that is added on all four sides (negative: taken away).
    """
    if detection.corners is not None:
        corners = _grown(np.array(detection.corners, np.float64), margin)
        size = _rectified_size(corners)
        if min(size) >= 1:
            return _rectified(image, corners, size)
    return _cut(image, detection.xyxy, margin)


def sharpness(image: BgrImage) -> float:
    """How sharp a crop is: the variance of the Laplacian of its gray values at 48 px height, so that sizes compare.

    Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy (2000).
    """
    scale = _SHARPNESS_HEIGHT / image.shape[0]
    size = (max(1, round(image.shape[1] * scale)), _SHARPNESS_HEIGHT)
    gray = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2GRAY)
    return round(float(cv2.Laplacian(gray, cv2.CV_64F).var()), 1)


def _cut(image: BgrImage, xyxy: tuple[float, float, float, float], margin: float) -> BgrImage:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = xyxy
    pad = margin * (y2 - y1)
    left = min(max(math.floor(x1 - pad), 0), width - 1)
    top = min(max(math.floor(y1 - pad), 0), height - 1)
    right = min(max(math.ceil(x2 + pad), left + 1), width)
    bottom = min(max(math.ceil(y2 + pad), top + 1), height)
    return image[top:bottom, left:right].copy()


def _grown(corners: npt.NDArray[np.float64], margin: float) -> npt.NDArray[np.float64]:
    """The quadrilateral (top left, top right, bottom right, bottom left), each side moved out by margin x height."""
    top_left, top_right, bottom_right, bottom_left = corners
    right = (top_right - top_left + bottom_right - bottom_left) / 2
    down = (bottom_left - top_left + bottom_right - top_right) / 2
    width, height = np.linalg.norm(right), np.linalg.norm(down)
    if margin == 0 or width == 0 or height == 0:
        return corners
    pad = margin * min(width, height)
    along, across = right / width * pad, down / height * pad
    return corners + np.array([-along - across, along - across, along + across, -along + across])


def _rectified_size(corners: npt.NDArray[np.float64]) -> tuple[int, int]:
    top, right, bottom, left = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    return round(max(top, bottom)), round(max(left, right))


def _rectified(image: BgrImage, corners: npt.NDArray[np.float64], size: tuple[int, int]) -> BgrImage:
    width, height = size
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    transform = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    level = cv2.warpPerspective(image, transform, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if height >= _TALL * width:
        level = np.ascontiguousarray(np.rot90(level))
    return np.asarray(level, np.uint8)

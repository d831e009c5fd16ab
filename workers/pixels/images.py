"""Pixels in a worker: decode what came from the frame store, cut crops, encode them again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from sightline.errors import BadImageError
from sightline.images.header import ImageInfo, check_image, may_be_transparent
from sightline.types import Detection
from workers.pixels.transparency import on_white

#: A decoded picture, shape (height, width, 3), channels blue, green, red.
BgrImage = npt.NDArray[np.uint8]

#: Text taller than this many times its width is turned by a quarter, so that it can be read from left to right.
_TALL = 1.5
_SHARPNESS_HEIGHT = 48
#: How many times smaller a JPEG can be decoded, and OpenCV's name for it.
_REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


class Picture(NamedTuple):
    """A decoded file, smaller perhaps than it is there: `width` and `height` are those of the file, upright."""

    image: BgrImage
    width: int
    height: int

    def in_full(self, detections: Sequence[Detection]) -> tuple[Detection, ...]:
        """Detections in pixels of the image -> in pixels of the file."""
        rows, columns = self.image.shape[:2]
        if (columns, rows) == (self.width, self.height):
            return tuple(detections)
        return tuple(_enlarged(one, self.width / columns, self.height / rows) for one in detections)


def use_one_thread() -> None:
    """For this process: OpenCV's own threads spin while they wait, and pictures are worked on side by side anyway."""
    cv2.setNumThreads(1)


def decode(data: bytes, *, max_mpx: float, max_mb: float = math.inf) -> BgrImage:
    """Decode a JPEG, PNG or WebP file, upright as its EXIF orientation says, on white where it is transparent.

    The header is checked before anything is allocated, so OpenCV's own pixel limit is never what decides.

    Raises:
        BadImageError: not an accepted image, larger than the limits, truncated or damaged.
    """
    return _decode(data, check_image(data, max_mb=max_mb, max_mpx=max_mpx), 1)


def decode_small(data: bytes, *, least_px: int, max_mpx: float, max_mb: float = math.inf) -> Picture:
    """Like `decode`, but a JPEG comes a half, a quarter or an eighth as large if its longest side is then `least_px`.

    The decoder leaves out what is finer than that, which takes about half the time of decoding all and scaling it.
    `least_px` 0: in full size.

    Raises:
        BadImageError: as `decode`.
    """
    info = check_image(data, max_mb=max_mb, max_mpx=max_mpx)
    image = _decode(data, info, _shrink(info, least_px))
    rows, columns = image.shape[:2]
    if rows == columns and info.width != info.height:  # which way round the file is does not show
        image = _decode(data, info, 1)
        rows, columns = image.shape[:2]
    short, long = sorted((info.width, info.height))
    return Picture(image, *((long, short) if columns > rows else (short, long)))


def _shrink(info: ImageInfo, least_px: int) -> int:
    """How many times smaller this file may be decoded."""
    if info.format != "jpeg" or least_px <= 0:
        return 1
    return max((times for times in _REDUCED if max(info.width, info.height) >= times * least_px), default=1)


def _decode(data: bytes, info: ImageInfo, shrink: int) -> BgrImage:
    is_transparent = may_be_transparent(data)
    usual = cv2.IMREAD_UNCHANGED if is_transparent else cv2.IMREAD_COLOR
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED.get(shrink, usual))
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(f"no memory to decode {info.width}x{info.height} pixels") from error
        raise BadImageError(f"cannot decode this {info.format} file: {error.err or error}") from error
    if image is None or image.size == 0:
        raise BadImageError(f"cannot decode this {info.format} file: its pixel data is damaged")
    if sorted(image.shape[:2]) != sorted((math.ceil(info.width / shrink), math.ceil(info.height / shrink))):
        raise BadImageError(
            f"header says {info.width}x{info.height}, data has {image.shape[1]}x{image.shape[0]} pixels"
        )
    return on_white(image, data) if is_transparent else np.asarray(image, np.uint8)


def within(image: BgrImage, most_px: int) -> BgrImage:
    """The picture with its longest side at most so many pixels."""
    rows, columns = image.shape[:2]
    share = most_px / max(rows, columns)
    if share >= 1:
        return image
    size = (max(1, round(columns * share)), max(1, round(rows * share)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def encode_jpeg(image: BgrImage, *, quality: int = 90) -> bytes:
    """The picture as a JPEG file; `quality` 1..100."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"cannot encode an image of shape {image.shape}")
    return data.tobytes()


def crop(image: BgrImage, detection: Detection, *, margin: float = 0.0) -> BgrImage:
    """Cut a detection out of its frame. Never empty, always a copy.

    With corners the text is rectified: tilted or skewed text comes out level, and text that runs upwards or downwards
    is turned by a quarter. Without corners the box is cut. `margin` is a share of the box height that is added on all
    four sides (negative: taken away); where the image ends its edge is repeated, so that the box is always in the
    middle.
    """
    if detection.corners is not None:
        corners = _grown(np.array(detection.corners, np.float64), margin)
        size = _rectified_size(corners)
        if min(size) >= 1:
            return _rectified(image, corners, size)
    return _cut(image, detection.xyxy, margin)


def with_margin(cut: BgrImage, detection: Detection, margin: float) -> BgrImage:
    """The crop of a box that was cut with any margin, with this one: edges are cut off, or repeated where they lack.

    A crop of a detection with corners stays as it is: it was straightened.
    """
    if detection.corners is not None:
        return cut
    x1, y1, x2, y2 = detection.xyxy
    height, width = cut.shape[:2]
    pad = 2 * margin * (y2 - y1)
    down, across = math.floor((height - (y2 - y1) - pad) / 2), math.floor((width - (x2 - x1) - pad) / 2)
    off_y, off_x = min(max(down, 0), (height - 1) // 2), min(max(across, 0), (width - 1) // 2)
    inside = cut[off_y : height - off_y, off_x : width - off_x]
    beyond = (max(-down, 0),) * 2 + (max(-across, 0),) * 2
    if not any(beyond):
        return inside
    return np.asarray(
        cv2.copyMakeBorder(inside, *(max(0, side) for side in beyond), borderType=cv2.BORDER_REPLICATE), np.uint8
    )


def sharpness(image: BgrImage) -> float:
    """How sharp a crop is: the variance of the Laplacian of its gray values at 48 px height, so that sizes compare.

    Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy (2000).
    """
    scale = _SHARPNESS_HEIGHT / image.shape[0]
    size = (max(1, round(image.shape[1] * scale)), _SHARPNESS_HEIGHT)
    gray = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2GRAY)
    return round(float(cv2.Laplacian(gray, cv2.CV_64F).var()), 1)


def _enlarged(one: Detection, across: float, down: float) -> Detection:
    x1, y1, x2, y2 = one.xyxy
    corners = one.corners and tuple((x * across, y * down) for x, y in one.corners)
    return one.model_copy(update={"xyxy": (x1 * across, y1 * down, x2 * across, y2 * down), "corners": corners})


def _cut(image: BgrImage, xyxy: tuple[float, float, float, float], margin: float) -> BgrImage:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = xyxy
    pad = margin * (y2 - y1)
    left, top, right, bottom = math.floor(x1 - pad), math.floor(y1 - pad), math.ceil(x2 + pad), math.ceil(y2 + pad)
    inside_left, inside_top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    inside_right, inside_bottom = min(max(right, inside_left + 1), width), min(max(bottom, inside_top + 1), height)
    inside = image[inside_top:inside_bottom, inside_left:inside_right]
    beyond = [
        max(0, inside_top - top),
        max(0, bottom - inside_bottom),
        max(0, inside_left - left),
        max(0, right - inside_right),
    ]
    if margin <= 0 or not any(beyond):
        return inside.copy()
    return np.asarray(cv2.copyMakeBorder(inside, *beyond, borderType=cv2.BORDER_REPLICATE), np.uint8)


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

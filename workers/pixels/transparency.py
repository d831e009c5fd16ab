"""Pictures that are transparent: letters of black on nothing are black on black to who leaves that out."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sightline.images.exif import turn_of
from sightline.images.header import png_part

#: Rows at once, so that no copy of the whole picture is made in wider numbers.
_BAND = 128
#: What EXIF counts as -> how to make it upright: quarters of a turn to the left, and then from left to right.
_TURNS = {
    1: (0, False),
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (3, True),
    6: (3, False),
    7: (1, True),
    8: (1, False),
}


def on_white(decoded: npt.NDArray[Any], data: bytes) -> npt.NDArray[np.uint8]:
    """What OpenCV makes of a PNG or WebP that it is to leave unchanged: in blue, green and red, upright, on white.

    Args:
        decoded: (height, width) or (height, width, 3 or 4), of 8 or 16 bits.
        data: the file.
    """
    if decoded.ndim == 2:
        decoded = _with_alpha(decoded, png_part(data, b"tRNS"), depth=data[24])
    if decoded.dtype == np.uint16:
        decoded = (decoded >> 8).astype(np.uint8)
    image = decoded[..., :3]
    if decoded.shape[2] == 4 and decoded[..., 3].min() < 255:
        image = np.empty(image.shape, np.uint8)
        for top in range(0, len(image), _BAND):
            color, alpha = (part.astype(np.uint16) for part in np.split(decoded[top : top + _BAND], [3], axis=2))
            image[top : top + _BAND] = (color * alpha + 255 * (255 - alpha) + 127) // 255
    quarters, is_flipped = _TURNS[turn_of(data)]
    upright = np.rot90(image, quarters)
    return np.ascontiguousarray(upright[:, ::-1] if is_flipped else upright)


def _with_alpha(gray: npt.NDArray[Any], transparent: bytes, depth: int) -> npt.NDArray[Any]:
    """One shade of gray may be transparent, which OpenCV leaves out."""
    most = 255 if gray.dtype == np.uint8 else 65535
    shade = int.from_bytes(transparent[:2], "big") * most // ((1 << depth) - 1) if transparent else -1
    image = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGRA)
    image[..., 3] = np.where(gray == shade, 0, most)
    return image

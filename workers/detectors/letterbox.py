"""How pictures of any size get into the input of a network, and boxes out of it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from workers.pixels.images import BgrImage

_PADDING_GRAY = 114  #: what the model saw around pictures in training
_CLEARLY_SMALLER = 2 / 3


class Placement(NamedTuple):
    """Where the whole picture lies in the model's input, in pixels of the input."""

    left: int
    top: int
    width: int
    height: int

    def to_picture(self, xyxy: npt.NDArray[np.float64], width: int, height: int) -> npt.NDArray[np.float64]:
        """Boxes (N, 4) in pixels of the input -> in pixels of the picture, whose size this is, and within it."""
        offset = np.array([self.left, self.top] * 2)
        scale = np.array([width / self.width, height / self.height] * 2)
        return np.clip((xyxy - offset) * scale, 0, [width, height, width, height])


def letterbox(
    images: Sequence[BgrImage], input_size: tuple[int, int], *, centered: bool = True
) -> tuple[npt.NDArray[np.uint8], list[Placement]]:
    """Fit each image into (width, height), centered on gray or in the upper left corner, as the model was trained.

    Gives (N, height, width, 3) BGR and the placements.
    """
    width, height = input_size
    batch = np.full((len(images), height, width, 3), _PADDING_GRAY, np.uint8)
    placements: list[Placement] = []
    for target, image in zip(batch, images, strict=True):
        rows, columns = image.shape[:2]
        scale = min(width / columns, height / rows)
        new_width, new_height = max(1, round(columns * scale)), max(1, round(rows * scale))
        left, top = ((width - new_width) // 2, (height - new_height) // 2) if centered else (0, 0)
        target[top : top + new_height, left : left + new_width] = resize(image, new_width, new_height)
        placements.append(Placement(left, top, new_width, new_height))
    return batch, placements


def resize(image: BgrImage, width: int, height: int) -> BgrImage:
    """The image at this size, or itself.

    Where it is made clearly smaller each pixel is the mean of the area it stands for: linear interpolation skips
    pixels there, and thin strokes with them.
    """
    if image.shape[:2] == (height, width):
        return image
    how = cv2.INTER_AREA if width < _CLEARLY_SMALLER * image.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)

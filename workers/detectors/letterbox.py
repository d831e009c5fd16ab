"""How pictures of any size get into the input of a network, and boxes out of it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from workers.images import BgrImage

_PADDING_GRAY = 114  #: what the model saw around pictures in training


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


def letterbox(images: Sequence[BgrImage], input_size: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], list[Placement]]:
    """Fit each image into (width, height), centered on gray. Gives (N, height, width, 3) BGR and the placements."""
    width, height = input_size
    batch = np.full((len(images), height, width, 3), _PADDING_GRAY, np.uint8)
    placements: list[Placement] = []
    for target, image in zip(batch, images, strict=True):
        rows, columns = image.shape[:2]
        scale = min(width / columns, height / rows)
        new_width, new_height = max(1, round(columns * scale)), max(1, round(rows * scale))
        left, top = (width - new_width) // 2, (height - new_height) // 2
        resized = halve(image, new_width, new_height)
        if resized.shape[:2] != (new_height, new_width):
            resized = cv2.resize(resized, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
        target[top : top + new_height, left : left + new_width] = resized
        placements.append(Placement(left, top, new_width, new_height))
    return batch, placements


def halve(image: BgrImage, least_width: int, least_height: int) -> BgrImage:
    """The image made half as large as often as both its sides stay as long as this.

    Linear interpolation alone skips pixels where a picture is made much smaller, and thin strokes with them. The mean
    of four pixels keeps them, and costs a tenth of the mean of any other number.
    """
    while image.shape[1] >= 2 * least_width and image.shape[0] >= 2 * least_height:
        size = (image.shape[1] // 2, image.shape[0] // 2)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return image

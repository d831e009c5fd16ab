"""How a camera's pictures are looked at: turned upright, and black outside of the mask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

import cv2
import numpy as np

from producers.camera.sources.source import BgrImage, Grab
from storage.cameras import Camera, Mask, Rotation

_TURNS: Final = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class View:
    """The view of one camera."""

    def __init__(self, rotation: Rotation, mask: Mask) -> None:
        self._rotation = rotation
        self._mask = mask
        self._seen: dict[tuple[int, int], BgrImage] = {}  #: by height and width: 255 where it is looked at

    @classmethod
    def of_camera(cls, camera: Camera) -> View:
        return cls(camera.rotation, camera.looked_at)

    def of(self, grab: Grab) -> Grab:
        """The grab as it is to be seen. Nothing is done before its pixels are asked for."""
        return _Viewed(grab, self) if self._rotation or self._mask else grab

    def apply(self, image: BgrImage) -> BgrImage:
        """The picture, (height, width) or (height, width, 3), upright and masked."""
        if self._rotation:
            image = cast("BgrImage", cv2.rotate(image, _TURNS[self._rotation]))
        if not self._mask:
            return image
        seen = self._seen_of(image.shape[0], image.shape[1])
        return cast("BgrImage", cv2.bitwise_and(image, image, mask=seen))

    def _seen_of(self, height: int, width: int) -> BgrImage:
        if (height, width) not in self._seen:
            seen = np.zeros((height, width), np.uint8)
            for polygon in self._mask:
                corners = np.round(np.array(polygon) * (width - 1, height - 1)).astype(np.int32)
                cv2.fillPoly(seen, [corners], (255,))
            self._seen[height, width] = seen
        return self._seen[height, width]


@dataclass(slots=True)
class _Viewed:
    """A grab, as its camera's view wants it."""

    _grab: Grab
    _view: View

    @property
    def at_s(self) -> float:
        return self._grab.at_s

    @property
    def captured_at(self) -> datetime:
        return self._grab.captured_at

    @property
    def stamp_s(self) -> float | None:
        return self._grab.stamp_s

    @property
    def is_key(self) -> bool:
        return self._grab.is_key

    @property
    def damaged(self) -> bool:
        return self._grab.damaged

    def gray(self, width: int) -> BgrImage:
        """As wide or, turned to the side, as high: what is compared must only stay the same size."""
        return self._view.apply(self._grab.gray(width))

    def bgr(self) -> BgrImage:
        return self._view.apply(self._grab.bgr())

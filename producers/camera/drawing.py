"""Zones drawn on a picture, so that who sets them sees where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from producers.camera.sources.source import BgrImage
from storage.zones import Zone

#: Seen on day and night pictures, and by who is color-blind; blue, green, red.
_COLORS: Final = ((0, 215, 255), (255, 144, 30), (180, 105, 255), (127, 255, 0))
_HEIGHT_OF_TEXT: Final = 1 / 30


def draw_zones(image: BgrImage, zones: Sequence[Zone]) -> BgrImage:
    """A copy of the picture, (height, width, 3), with the outline and the name of each zone."""
    drawn = image.copy()
    height, width = drawn.shape[:2]
    scale = height * _HEIGHT_OF_TEXT / 22  # the font is about 22 pixels high
    thick = max(1, round(height / 360))
    for number, zone in enumerate(zones):
        color = _COLORS[number % len(_COLORS)]
        corners = np.round(np.array(zone.polygon) * (width - 1, height - 1)).astype(np.int32)
        cv2.polylines(drawn, [corners], isClosed=True, color=color, thickness=2 * thick)
        name = zone.name if zone.mode == "mark" else f"{zone.name} ({zone.mode})"
        size, below = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
        left, top = corners.min(axis=0)
        at = min(int(left) + 4, max(0, width - size[0])), min(int(top) + size[1] + below + 4, height - below)
        cv2.putText(drawn, name, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 3 * thick, cv2.LINE_AA)
        cv2.putText(drawn, name, at, cv2.FONT_HERSHEY_SIMPLEX, scale, color, thick, cv2.LINE_AA)
    return drawn

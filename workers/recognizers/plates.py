"""Our own plate recognizer: one small network that reads plates of one or two lines."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

#: What the network sees: a grey picture of this size, whatever the crop's shape was.
WIDTH_PX, HEIGHT_PX = 160, 64


def prepare(crop: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A crop, BGR or grey, as the network wants it: grey, HEIGHT_PX x WIDTH_PX, stretched."""
    gray = crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    shrinks = gray.shape[0] > HEIGHT_PX and gray.shape[1] > WIDTH_PX
    scaled = cv2.resize(gray, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(scaled, np.uint8)

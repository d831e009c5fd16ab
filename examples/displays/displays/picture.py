"""`python -m displays.picture 2047 meter.png`: a picture of a machine with a display, to try the example with."""

from __future__ import annotations

import sys

import cv2
import numpy as np

from displays.recognizer import DIGITS
from workers.pixels.images import BgrImage

WIDE, HIGH, THICK = 60, 110, 12
#: Left, top, right and bottom of each segment, in the order of `DIGITS`.
BARS = (
    (0, 0, WIDE, THICK),
    (0, 0, THICK, HIGH // 2),
    (WIDE - THICK, 0, WIDE, HIGH // 2),
    (0, (HIGH - THICK) // 2, WIDE, (HIGH + THICK) // 2),
    (0, HIGH // 2, THICK, HIGH),
    (WIDE - THICK, HIGH // 2, WIDE, HIGH),
    (0, HIGH - THICK, WIDE, HIGH),
)


def draw(number: str) -> BgrImage:
    """A gray machine of 1280 x 720 pixels whose display shows a number of up to eight digits."""
    patterns = {digit: pattern for pattern, digit in DIGITS.items()}
    image = np.full((720, 1280, 3), 150, np.uint8)
    cv2.rectangle(image, (300, 280), (340 + len(number) * (WIDE + 25), 320 + HIGH), (20, 20, 20), -1)
    for place, digit in enumerate(number):
        left, top = 320 + place * (WIDE + 25), 300
        for is_lit, (x1, y1, x2, y2) in zip(patterns[digit], BARS, strict=True):
            if is_lit == "1":
                cv2.rectangle(image, (left + x1, top + y1), (left + x2, top + y2), (40, 30, 235), -1)
    return np.asarray(cv2.GaussianBlur(image, (3, 3), 0), np.uint8)


if __name__ == "__main__":
    cv2.imwrite(sys.argv[2], draw(sys.argv[1]))

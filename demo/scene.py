"""Draws the demo's world: cars with plates on a street, as photos and as a clip. No photo of anybody is needed."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Color = tuple[int, int, int]  # blue, green, red

WIDTH, HEIGHT, CLIP_FPS = 1280, 720, 10
_SECONDS_PER_CAR = 4.0
_PAINTS: tuple[Color, ...] = ((160, 90, 40), (60, 60, 170), (90, 130, 70), (120, 120, 125), (50, 110, 190))


@dataclass(frozen=True)
class Car:
    plate: str
    center_x: float
    bottom_y: float
    width: float
    paint: Color


def draw_photo(plate: str, seed: int) -> Image:
    """One parked car, seen from behind, with a little noise."""
    random = np.random.default_rng(seed)
    car = Car(
        plate,
        center_x=WIDTH / 2 + random.uniform(-180, 180),
        bottom_y=HEIGHT * random.uniform(0.80, 0.92),
        width=random.uniform(520, 700),
        paint=_PAINTS[seed % len(_PAINTS)],
    )
    image = _street()
    _draw_car(image, car)
    noise = random.normal(0, 4, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def write_clip(path: Path, plates: list[str]) -> None:
    """A clip in which the cars drive up to the camera one after the other, with an empty street between them."""
    import av

    container: Any = av.open(str(path), "w")
    with container:
        stream = container.add_stream("libx264", rate=CLIP_FPS, options={"preset": "ultrafast", "g": str(CLIP_FPS)})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 6_000_000
        stream.time_base = Fraction(1, CLIP_FPS)
        for index, plate in enumerate(plates):
            for step in range(int(_SECONDS_PER_CAR * CLIP_FPS)):
                image = _street()
                progress = step / (_SECONDS_PER_CAR * CLIP_FPS) * 1.4
                if progress <= 1.0:
                    _draw_car(image, _approaching(plate, progress, _PAINTS[index % len(_PAINTS)]))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())


def draw_street(plate: str, progress: float | None) -> Image:
    """The street of the clips, empty or with a car on its way to the camera, 0 to 1."""
    image = _street()
    if progress is not None:
        _draw_car(image, _approaching(plate, progress, _PAINTS[0]))
    return image


def _approaching(plate: str, progress: float, paint: Color) -> Car:
    return Car(plate, WIDTH * (0.42 + 0.12 * progress), HEIGHT * (0.62 + 0.3 * progress), 260 + 420 * progress, paint)


def _street() -> Image:
    """Sky, hills, trees and a road: nothing that looks like text."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    horizon = int(HEIGHT * 0.42)
    image[:horizon] = np.linspace((235, 206, 170), (240, 232, 222), horizon)[:, None]
    image[horizon:] = np.linspace((120, 122, 120), (72, 74, 74), HEIGHT - horizon)[:, None]
    for x, width, height, color in (
        (180, 420, 120, (150, 165, 135)),
        (1080, 480, 150, (140, 158, 128)),
        (640, 520, 90, (160, 172, 148)),
    ):
        cv2.ellipse(image, (x, horizon), (width, height), 0, 180, 360, color, -1, cv2.LINE_AA)
    for x, size in ((90, 60), (250, 44), (1010, 52), (1190, 70)):
        _box(image, x, horizon - size * 0.25, size * 0.16, size * 0.6, (60, 80, 100))
        _ellipse(image, x, horizon - size, size * 0.55, size * 0.75, (82, 128, 88))
    middle = WIDTH // 2
    for near, far in ((0.0, 0.18), (0.35, 0.5), (0.7, 1.0)):
        y1, y2 = (int(horizon + (HEIGHT - horizon) * part) for part in (near, far))
        cv2.line(image, (middle, y1), (middle, y2), (225, 230, 230), 8, cv2.LINE_AA)
    return image


def _draw_car(image: Image, car: Car) -> None:
    w, x, y = car.width, car.center_x, car.bottom_y
    dark = tuple(int(part * 0.45) for part in car.paint)
    _ellipse(image, x, y + w * 0.01, w * 0.56, w * 0.06, (45, 46, 46))
    for side in (-1, 1):
        _box(image, x + side * w * 0.36, y - w * 0.07, w * 0.15, w * 0.16, (30, 30, 30))
    roof = np.array(
        [
            (x - w * 0.33, y - w * 0.66),
            (x + w * 0.33, y - w * 0.66),
            (x + w * 0.46, y - w * 0.38),
            (x - w * 0.46, y - w * 0.38),
        ]
    ).astype(np.int32)
    cv2.fillPoly(image, [roof], car.paint, cv2.LINE_AA)
    glass = np.array(
        [
            (x - w * 0.29, y - w * 0.62),
            (x + w * 0.29, y - w * 0.62),
            (x + w * 0.38, y - w * 0.41),
            (x - w * 0.38, y - w * 0.41),
        ]
    ).astype(np.int32)
    cv2.fillPoly(image, [glass], (92, 84, 74), cv2.LINE_AA)
    _box(image, x, y - w * 0.23, w, w * 0.32, car.paint)
    _box(image, x, y - w * 0.08, w * 0.98, w * 0.08, dark)
    for side in (-1, 1):
        _box(image, x + side * w * 0.41, y - w * 0.29, w * 0.14, w * 0.09, (40, 40, 200))
    _draw_plate(image, car.plate, x, y - w * 0.2, w * 0.34)


def _draw_plate(image: Image, text: str, x: float, y: float, width: float) -> None:
    height = width * 0.22
    _box(image, x, y, width * 1.03, height * 1.14, (25, 25, 25))
    _box(image, x, y, width, height, (245, 245, 245))
    _box(image, x - width * 0.46, y, width * 0.08, height, (150, 60, 20))
    font = cv2.FONT_HERSHEY_DUPLEX
    (unit, _), _ = cv2.getTextSize(text, font, 1.0, 2)
    scale = width * 0.82 / unit
    thickness = max(1, round(scale * 2))
    (text_width, text_height), _ = cv2.getTextSize(text, font, scale, thickness)
    origin = (round(x + width * 0.04 - text_width / 2), round(y + text_height / 2))
    cv2.putText(image, text, origin, font, scale, (20, 20, 20), thickness, cv2.LINE_AA)


def _box(image: Image, x: float, y: float, width: float, height: float, color: tuple[int, ...]) -> None:
    top_left = (round(x - width / 2), round(y - height / 2))
    cv2.rectangle(image, top_left, (round(x + width / 2), round(y + height / 2)), color, -1, cv2.LINE_AA)


def _ellipse(image: Image, x: float, y: float, width: float, height: float, color: Color) -> None:
    cv2.ellipse(image, (round(x), round(y)), (round(width), round(height)), 0, 0, 360, color, -1, cv2.LINE_AA)

"""Drawn passages: a car comes closer in 8 to 15 bad pictures. The same seed draws the same clips.

In every second one something is before the plate in most pictures, each time elsewhere: posts and people that the car
passes, drops and glare on the lens.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from sightline.types import Xyxy
from storage.plates.text import refusal
from training.plates.drawing.plate import Plate, draw_plate
from workers.pixels.images import BgrImage, encode_jpeg

FPS = 5
_WIDTH, _HEIGHT = 640, 360
_SCALE = 2  #: drawn so much larger, then averaged, as a lens does
_MIN_PX, _MAX_PX = 12.0, 30.0
_COVERED_SHARE = 0.85  #: of the frames of a passage with things before the plate


@dataclass(frozen=True)
class Clip:
    """One vehicle. `height_px` is that of its plate in the middle of the passage."""

    text: str
    height_px: float
    frames: tuple[bytes, ...]  #: JPEG files
    is_covered: bool = False  #: a part of the plate, in most frames
    boxes: tuple[Xyxy, ...] = ()  #: of the plate, one a frame


@dataclass(frozen=True)
class _Weather:
    """How bad the pictures of one passage are; each frame has its own part of it."""

    blur_px: float
    motion_px: float
    light: float
    noise: float
    quality: int

    @classmethod
    def of(cls, rng: np.random.Generator) -> _Weather:
        light = float(rng.uniform(0.15, 0.4) if rng.random() < 0.4 else rng.uniform(0.5, 1.1))
        return cls(
            blur_px=float(rng.uniform(0.3, 1.9)),
            motion_px=float(rng.uniform(0, 7)),
            light=light,
            noise=float(rng.uniform(3, 15) + 6 * max(0.0, 0.5 - light)),
            quality=int(rng.integers(35, 85)),
        )


def draw_clip(seed: int, number: int, plate: Plate | None = None) -> Clip:
    """A clip of this plate, or of one of any style that can be drawn, of one line, that has the form of a plate."""
    is_covered = number % 2 == 1
    rng = np.random.default_rng((seed, number))
    while plate is None or len(plate.lines) > 1 or refusal(plate.text):
        plate = draw_plate(rng)
    weather = _Weather.of(rng)
    far = float(rng.uniform(_MIN_PX, 24))
    near = min(_MAX_PX, far * float(rng.uniform(1.1, 1.6)))
    count = int(rng.integers(8, 16))
    paint = rng.uniform(20, 220, 3)
    street = draw_street(rng)
    at = rng.uniform((0.4, 0.55), (0.6, 0.7))
    way = rng.uniform((-0.08, 0.0), (0.08, 0.12))
    frames: list[bytes] = []
    boxes: list[Xyxy] = []
    for step in range(count):
        progress = step / (count - 1)
        x, y = (float(part) for part in at + way * progress)
        height_px = far + (near - far) * progress
        size = (height_px * plate.width_mm / plate.height_mm, height_px)
        image = _draw_picture(rng, street, plate, paint, (x * _WIDTH, y * _HEIGHT), size)
        if is_covered and rng.random() < _COVERED_SHARE:
            image = _cover(rng, image, (x * _WIDTH, y * _HEIGHT), size)
        frames.append(encode_jpeg(_degrade(rng, image, weather), quality=weather.quality))
        boxes.append(box_around((x * _WIDTH, y * _HEIGHT), size))
    return Clip(plate.text, (far + near) / 2, tuple(frames), is_covered, tuple(boxes))


def box_around(center: tuple[float, float], size: tuple[float, float]) -> Xyxy:
    """The box of something with this center."""
    (x, y), (width, height) = center, size
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def draw_street(rng: np.random.Generator) -> BgrImage:
    """Soft patches of gray: a ground on which nothing looks like text."""
    patches = rng.uniform(60, 190, (6, 9, 3)).astype(np.float32)
    patches = patches * 0.25 + patches.mean(axis=2, keepdims=True) * 0.75
    size = (_WIDTH * _SCALE, _HEIGHT * _SCALE)
    return np.clip(cv2.resize(patches, size, interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def _draw_picture(
    rng: np.random.Generator,
    street: BgrImage,
    plate: Plate,
    paint: npt.NDArray[np.float64],
    center: tuple[float, float],
    size: tuple[float, float],
) -> BgrImage:
    """`center` and `size` are those of the plate in the finished picture."""
    image = street.copy()
    (x, y), (width, height) = center, size
    draw_car(image, paint, (x * _SCALE, y * _SCALE), (width * _SCALE, height * _SCALE))
    put_plate(rng, image, plate, (x * _SCALE, y * _SCALE), (width * _SCALE, height * _SCALE))
    return np.asarray(cv2.resize(image, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def car_width(plate_size: tuple[float, float]) -> float:
    """A car is as wide whatever its plate's shape."""
    wide, high = plate_size
    return wide * (3.6 if wide > 3 * high else 5.4)


def draw_car(
    image: BgrImage, paint: npt.NDArray[np.float64], center: tuple[float, float], size: tuple[float, float]
) -> None:
    """The back of a car around its plate, which is at `center`, `size` large, and not drawn here."""
    (x, y), (wide, high) = center, size
    w = car_width(size)
    dark = tuple(float(part) * 0.4 for part in paint)
    _box(image, (x, y - w * 0.14), (w, w * 0.52), tuple(float(part) for part in paint))
    _box(image, (x, y - w * 0.29), (w * 0.74, w * 0.19), (62, 58, 52))
    _box(image, (x, y + w * 0.14), (w * 1.02, w * 0.11), dark)
    _box(image, (x, y), (wide * 1.12, high * 1.35), dark)
    for side in (-1, 1):
        _box(image, (x + side * w * 0.43, y - w * 0.06), (w * 0.12, w * 0.12), (35, 35, 170))
        _box(image, (x + side * w * 0.36, y + w * 0.25), (w * 0.16, w * 0.13), (25, 25, 25))


def put_plate(
    rng: np.random.Generator, image: BgrImage, plate: Plate, center: tuple[float, float], size: tuple[float, float]
) -> None:
    """Seen a little from the side, and never twice from the same one."""
    wide, high = size
    small = cv2.resize(plate.image, (max(8, round(wide)), max(4, round(high))), interpolation=cv2.INTER_AREA)
    rows, columns = small.shape[:2]
    corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    lean, turn = rng.normal(0, 0.03) * wide, rng.normal(0, 0.04) * high
    target = corners - (columns / 2, rows / 2) + center
    target += np.array([[0, -lean / 4], [0, lean / 4], [turn, lean / 4], [turn, -lean / 4]]) + rng.normal(
        0, 0.4, (4, 2)
    )
    left, top = np.maximum(target.min(axis=0).astype(int) - 2, 0)
    right, bottom = np.minimum(target.max(axis=0).astype(int) + 3, (image.shape[1], image.shape[0]))
    transform = cv2.getPerspectiveTransform(corners, (target - (left, top)).astype(np.float32))
    placed = cv2.warpPerspective(small, transform, (int(right - left), int(bottom - top))).astype(np.float32)
    alpha = placed[:, :, 3:] / 255
    part = image[top:bottom, left:right]
    part[:] = np.rint(part * (1 - alpha) + placed[:, :, :3] * alpha)


def _cover(
    rng: np.random.Generator, image: BgrImage, center: tuple[float, float], size: tuple[float, float]
) -> BgrImage:
    """About a character of a plate of seven is behind a post, or in a drop of light."""
    (x, y), (wide, high) = center, size
    x += wide * float(rng.uniform(-0.5, 0.5))
    width = wide / 7 * float(rng.uniform(0.7, 1.6))
    if rng.random() < 0.5:
        covered = image.copy()
        _box(covered, (x, y), (width, 3 * high), (float(rng.uniform(20, 230)),) * 3)
        return covered
    spot = np.zeros(image.shape[:2], np.float32)
    axes = max(1, round(width * 0.6)), max(1, round(high * 0.7))
    at = round(x), round(y + high * float(rng.uniform(-0.3, 0.3)))
    cv2.ellipse(spot, at, axes, 0, 0, 360, float(rng.uniform(0.7, 1.0)), -1, cv2.LINE_AA)
    amount = cv2.GaussianBlur(spot, (0, 0), 1.0)[:, :, None]
    return np.clip(image + (238 - image) * amount, 0, 255).astype(np.uint8)


def _degrade(rng: np.random.Generator, image: BgrImage, weather: _Weather) -> BgrImage:
    """Out of focus, moving, dark, noisy; some frames of a passage are better than others."""
    part = float(rng.uniform(0.4, 1.3))
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.15, weather.blur_px * part)), np.uint8)
    length = round(weather.motion_px * part)
    if length > 1:
        image = np.asarray(cv2.blur(image, (length, 1)), np.uint8)
    noise = rng.standard_normal(image.shape, np.float32) * weather.noise
    lit = image * np.float32(weather.light * rng.uniform(0.9, 1.1)) + noise
    return np.clip(lit, 0, 255).astype(np.uint8)


def _box(image: BgrImage, center: tuple[float, float], size: tuple[float, float], color: tuple[float, ...]) -> None:
    (x, y), (width, height) = center, size
    top_left = (round(x - width / 2), round(y - height / 2))
    cv2.rectangle(image, top_left, (round(x + width / 2), round(y + height / 2)), color, -1)

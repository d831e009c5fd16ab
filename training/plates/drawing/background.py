"""What is behind a car: streets, walls, leaves, signs. `draw_background` fills a whole picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from training.plates.drawing.clutter import draw_bars, draw_board, draw_shape

BgrImage = npt.NDArray[np.uint8]
Color = tuple[int, int, int]


def draw_background(rng: np.random.Generator, size_px: int) -> BgrImage:
    image = _texture(rng, size_px)
    if rng.random() < 0.6:
        _draw_street(rng, image)
    for _ in range(rng.integers(0, 7)):
        draw_shape(rng, image)
    for _ in range(rng.integers(0, 4)):
        draw_board(rng, image, height_px=size_px * rng.uniform(0.02, 0.14))
    if rng.random() < 0.3:
        draw_bars(rng, image)
    return image


def cloud(rng: np.random.Generator, height: int, width: int, cells: int, channels: int = 1) -> npt.NDArray[np.float32]:
    """Smooth noise in -0.5..0.5, shape (height, width, channels)."""
    small = rng.random((cells, max(cells * width // height, 2), channels), np.float32) - 0.5
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32).reshape(
        height, width, channels
    )


def paint(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A color as streets and cars have them: mostly grays and near-grays, now and then a strong one."""
    tone = np.full(3, rng.uniform(8, 245), np.float32)
    tint = rng.normal(0, 6 if rng.random() < 0.7 else 60, 3)
    return np.clip(tone + tint, 0, 255).astype(np.float32)


def color(values: npt.NDArray[np.floating[Any]]) -> Color:
    return int(values[0]), int(values[1]), int(values[2])


def _texture(rng: np.random.Generator, size_px: int) -> BgrImage:
    """Noise of several scales around one color: sky, wall, hedge."""
    image = np.zeros((size_px, size_px, 3), np.float32) + paint(rng)
    if rng.random() < 0.25:  # leaves
        image = image * 0.4 + np.array([20, 70, 45], np.float32)
    for cells in (3, 9, 27, 81):
        strength = rng.uniform(5, 150) / cells**0.35
        image += cloud(rng, size_px, size_px, cells, 3 if rng.random() < 0.2 else 1) * strength
    return np.clip(image, 0, 255).astype(np.uint8)


def _draw_street(rng: np.random.Generator, image: BgrImage) -> None:
    size_px = image.shape[0]
    horizon = int(size_px * rng.uniform(0.2, 0.7))
    for _ in range(rng.integers(0, 8)):
        _draw_house(rng, image, horizon)
    asphalt = rng.uniform(35, 170)
    road = asphalt + cloud(rng, size_px - horizon, size_px, 70) * 50 + cloud(rng, size_px - horizon, size_px, 5) * 40
    tint = np.array([1.03, 1, 0.98]) if rng.random() < 0.7 else rng.uniform(0.8, 1.2, 3)
    image[horizon:] = np.clip(road * tint, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(0, 5)):  # lane marks, kerbs, hatching
        start, end = rng.uniform(0, 1, 2) * size_px
        light = int(min(asphalt + rng.uniform(20, 110), 255))
        cv2.line(
            image,
            (int(start), horizon),
            (int(end * 3 - size_px), size_px),
            (light, light, light),
            int(rng.integers(1, 9)),
            cv2.LINE_AA,
        )


def _draw_house(rng: np.random.Generator, image: BgrImage, bottom: int) -> None:
    size_px = image.shape[0]
    left, width = int(rng.uniform(-0.1, 1) * size_px), int(rng.uniform(0.05, 0.4) * size_px)
    top = int(rng.uniform(0, 0.9) * bottom)
    cv2.rectangle(image, (left, top), (left + width, bottom), color(paint(rng)), -1)
    glass = color(paint(rng))
    step_x, step_y = int(rng.integers(9, 40)), int(rng.integers(10, 40))
    w, h = int(step_x * rng.uniform(0.3, 0.8)), int(step_y * rng.uniform(0.3, 0.8))
    for y in range(top + 4, bottom - h, step_y):
        for x in range(left + 4, left + width - w, step_x):
            cv2.rectangle(image, (x, y), (x + w, y + h), glass, -1)

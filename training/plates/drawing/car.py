"""A drawn end of a car, seen straight on, with a place for a plate."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from training.plates.drawing.background import cloud, color, paint
from training.plates.drawing.clutter import draw_lettering

BgraImage = npt.NDArray[np.uint8]
BgrImage = npt.NDArray[np.uint8]


class Car(NamedTuple):
    image: BgraImage  #: alpha is the car's outline
    plate_xy: tuple[int, int]  #: where the plate's top left corner goes


def draw_car(rng: np.random.Generator, plate_width: int, plate_height: int) -> Car:
    """A car whose size fits a plate of this size, in pixels of the plate's picture."""
    width = round(plate_width * _widths_of_plate(rng, plate_width / plate_height))
    height = round(width * rng.uniform(0.55, 1.0))
    tone = paint(rng)
    image = _body(rng, height, width, tone)
    window_bottom = _draw_window(rng, image)
    _draw_bumper(rng, image, tone)
    if rng.random() < 0.45:
        _draw_grille(rng, image)
    _draw_lamps(rng, image)
    for _ in range(rng.integers(0, 4)):
        at = rng.uniform(0.05, 0.75) * width, rng.uniform(0.35, 0.92) * height
        draw_lettering(rng, image, *at, width * rng.uniform(0.012, 0.05), board=rng.random() < 0.25)
    _draw_small_parts(rng, image, window_bottom)
    x, y = _plate_place(rng, width, height, plate_width, plate_height)
    if rng.random() < 0.6:
        _draw_recess(rng, image, tone, (x, y, x + plate_width, y + plate_height))
    outline = _outline(rng, height, width)
    return Car(np.dstack([image, outline]), (x, y))


def _widths_of_plate(rng: np.random.Generator, aspect: float) -> float:
    """How many plates wide a car is: a long European plate fills more of it than an American one."""
    if aspect > 3:
        return rng.uniform(3.0, 4.6)
    return rng.uniform(4.6, 7.2) if aspect > 1.5 else rng.uniform(5.0, 8.0)


def _body(rng: np.random.Generator, height: int, width: int, tone: npt.NDArray[np.float32]) -> BgrImage:
    """Paint, with the bands of light that curved steel shows."""
    rows = np.interp(np.linspace(0, 1, height), np.sort(rng.random(6)), rng.uniform(0.5, 1.3, 6))
    shine = cloud(rng, height, width, 4) * rng.uniform(0, 60)
    return np.clip(tone * rows[:, None, None] + shine, 0, 255).astype(np.uint8)


def _outline(rng: np.random.Generator, height: int, width: int) -> npt.NDArray[np.uint8]:
    roof, shoulder = rng.uniform(0.08, 0.2), rng.uniform(0.3, 0.5)
    half = [(1 - roof, 0.02), (0.97, shoulder), (0.99, 0.8), (0.93, 0.97)]
    points = np.array([*half, *((1 - x, y) for x, y in reversed(half))]) * (width, height)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], 255)
    soft = cv2.GaussianBlur(mask, (0, 0), max(width / 60, 1))
    return np.where(soft > 127, 255, 0).astype(np.uint8)


def _draw_window(rng: np.random.Generator, image: BgrImage) -> float:
    height, width = image.shape[:2]
    bottom = rng.uniform(0.26, 0.42)
    points = np.array([[0.2, 0.06], [0.8, 0.06], [0.87, bottom], [0.13, bottom]]) * (width, height)
    glass = np.full_like(image, 0)
    glass[:] = color(paint(rng) * 0.4)
    glass = cv2.add(glass, np.repeat(np.clip(cloud(rng, height, width, 5) * 120, 0, 255).astype(np.uint8), 3, 2))
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], 255)
    image[mask > 0] = glass[mask > 0]
    return bottom


def _draw_bumper(rng: np.random.Generator, image: BgrImage, tone: npt.NDArray[np.float32]) -> None:
    height, width = image.shape[:2]
    if rng.random() < 0.3:
        return
    top, deep = rng.uniform(0.66, 0.8), rng.uniform(0.08, 0.22)
    kind = rng.random()
    paint_of_it = tone * rng.uniform(0.6, 1.1) if kind < 0.5 else paint(rng) * (0.3 if kind < 0.75 else 1)
    _fill(image, 0.02, top, 0.98, top + deep, color(np.clip(paint_of_it, 0, 255)))
    cv2.line(image, (0, int(top * height)), (width, int(top * height)), (15, 15, 15), max(width // 200, 1))


def _draw_grille(rng: np.random.Generator, image: BgrImage) -> None:
    height, width = image.shape[:2]
    top, half, deep = rng.uniform(0.42, 0.7), rng.uniform(0.12, 0.4), rng.uniform(0.06, 0.16)
    _fill(image, 0.5 - half, top, 0.5 + half, top + deep, color(paint(rng) * 0.2))
    left, y, w, h = int((0.5 - half) * width), int(top * height), int(2 * half * width), int(deep * height)
    spacing = max(width * rng.uniform(0.01, 0.04), 3)
    tone, upright = color(paint(rng)), rng.random() < 0.35
    for at in np.arange(0, w if upright else h, spacing):
        start = (left + int(at), y) if upright else (left, y + int(at))
        end = (left + int(at), y + h) if upright else (left + w, y + int(at))
        cv2.line(image, start, end, tone, max(int(spacing * 0.35), 1))


def _draw_lamps(rng: np.random.Generator, image: BgrImage) -> None:
    top, wide, deep = rng.uniform(0.36, 0.58), rng.uniform(0.07, 0.24), rng.uniform(0.05, 0.2)
    red = np.array([rng.uniform(0, 60), rng.uniform(0, 60), rng.uniform(90, 240)], np.float32)
    lamp = color(red if rng.random() < 0.6 else np.clip(rng.uniform(150, 255) + rng.normal(0, 10, 3), 0, 255))
    inner = color(np.clip(np.array(lamp) + rng.normal(40, 60, 3), 0, 255))
    for left, right in ((0.03, 0.03 + wide), (0.97 - wide, 0.97)):
        _fill(image, left, top, right, top + deep, lamp)
        _fill(image, left + wide * 0.2, top + deep * 0.3, right - wide * 0.2, top + deep * 0.6, inner)


def _draw_small_parts(rng: np.random.Generator, image: BgrImage, window_bottom: float) -> None:
    """A badge, a third brake light, stickers, an exhaust."""
    height, width = image.shape[:2]
    if rng.random() < 0.55:
        center = width // 2, int(rng.uniform(window_bottom, 0.65) * height)
        axes = int(width * rng.uniform(0.012, 0.05)), int(width * rng.uniform(0.01, 0.04))
        cv2.ellipse(image, center, axes, 0, 0, 360, color(paint(rng)), int(rng.choice([-1, 2, 3])), cv2.LINE_AA)
    if rng.random() < 0.35:
        y = window_bottom + 0.02
        _fill(image, 0.42, y, 0.58, y + 0.02, (20, 20, int(rng.integers(90, 240))))
    for _ in range(rng.integers(0, 3)):  # white and colored stickers
        x, y = rng.uniform(0.06, 0.9), rng.uniform(0.1, 0.8)
        _fill(image, x, y, x + rng.uniform(0.02, 0.12), y + rng.uniform(0.02, 0.06), color(paint(rng)))
    if rng.random() < 0.4:
        center = int(rng.uniform(0.1, 0.9) * width), int(rng.uniform(0.85, 0.95) * height)
        cv2.circle(image, center, max(int(width * rng.uniform(0.01, 0.03)), 1), (30, 30, 30), -1, cv2.LINE_AA)


def _plate_place(
    rng: np.random.Generator, width: int, height: int, plate_width: int, plate_height: int
) -> tuple[int, int]:
    x = (width - plate_width) / 2 + (rng.uniform(-0.28, 0.28) * width if rng.random() < 0.25 else 0)
    y = height * rng.uniform(0.42, 0.88) - plate_height / 2
    return int(np.clip(x, 2, width - plate_width - 2)), int(np.clip(y, 2, height - plate_height - 2))


def _draw_recess(
    rng: np.random.Generator, image: BgrImage, tone: npt.NDArray[np.float32], xyxy: tuple[int, int, int, int]
) -> None:
    x1, y1, x2, y2 = xyxy
    margin = (y2 - y1) * rng.uniform(0.05, 0.6)
    start = int(x1 - 2 * margin), int(y1 - margin)
    end = int(x2 + 2 * margin), int(y2 + margin)
    cv2.rectangle(image, start, end, color(np.clip(tone * rng.uniform(0.35, 0.95), 0, 255)), -1)
    if rng.random() < 0.4:  # the lip above it and its shadow
        cv2.line(image, start, (end[0], start[1]), (12, 12, 12), max(int(margin * 0.3), 1))


def _fill(image: BgrImage, left: float, top: float, right: float, bottom: float, tone: tuple[int, int, int]) -> None:
    """A rectangle in shares of the picture's width and height."""
    height, width = image.shape[:2]
    cv2.rectangle(image, (int(left * width), int(top * height)), (int(right * width), int(bottom * height)), tone, -1)

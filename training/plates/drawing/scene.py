"""A picture with cars and their plates, and the exact truth about it: `draw_scene`."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from training.plates.drawing.background import draw_background
from training.plates.drawing.car import draw_car
from training.plates.drawing.light import photograph
from training.plates.drawing.plate import Plate, draw_plate

BgrImage = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.float32]

_LEAST_SEEN = 0.5  #: share of a plate inside the picture; less is not asked for
_LEAST_WIDTH_PX = 10
_LEAST_CONTRAST = 9  #: gray levels, standard deviation; less cannot be seen
_FREE_SHARE = 0.14  #: plates without a car
_EMPTY_SHARE = 0.08  #: pictures without a plate; most of them have a car without one


class PlateTruth(NamedTuple):
    corners: tuple[tuple[float, float], ...]  #: top left, top right, bottom right, bottom left, in pixels
    text: str
    style: str

    def xyxy(self, size_px: int) -> tuple[float, float, float, float]:
        """The upright box around the corners, clipped to the picture."""
        xs, ys = zip(*self.corners, strict=True)
        return max(min(xs), 0.0), max(min(ys), 0.0), min(max(xs), float(size_px)), min(max(ys), float(size_px))


class Scene(NamedTuple):
    image: BgrImage  #: square
    plates: tuple[PlateTruth, ...]


def draw_scene(seed: int, index: int, size_px: int = 480) -> Scene:
    """Picture `index` of a seed; the same two numbers give the same picture."""
    rng = np.random.default_rng([seed, index])
    image = draw_background(rng, size_px)
    kind = rng.random()
    count = 0 if kind < _EMPTY_SHARE else 1 if kind < 0.85 else int(rng.integers(2, 4))
    found: list[PlateTruth] = []
    for _ in range(count):
        hidden, plate = _add_plate(rng, image, crowded=count > 1)
        found = [truth for truth in found if not _covered(truth, hidden)] + ([plate] if plate else [])
    if not count and rng.random() < 0.6:
        _add_plate(rng, image, crowded=False, bare=True)
    spoilt = photograph(rng, image)
    if not all(_is_visible(spoilt, truth) for truth in found):
        spoilt = image
    return Scene(spoilt, tuple(found))


def _add_plate(
    rng: np.random.Generator, image: BgrImage, *, crowded: bool, bare: bool = False
) -> tuple[_Floats, PlateTruth | None]:
    """Draw a car with its plate, or a plate alone. Returns which pixels it covers, and what there is to find."""
    size_px = image.shape[0]
    width_px = _width_px(rng, size_px, crowded=crowded)
    plate = draw_plate(rng, None, int(np.clip(width_px / 3.2, 24, 96)))
    height, width = plate.image.shape[:2]
    width_px *= 0.7 if height > width * 0.55 else 1.0
    picture = plate.image.copy()
    if rng.random() < 0.6:  # plates lie in shade, or shine
        shaded = picture[:, :, :3] * rng.uniform(0.35, 1.1) + rng.uniform(-10, 10)
        picture[:, :, :3] = np.clip(shaded, 0, 255).astype(np.uint8)
    if rng.random() < _FREE_SHARE and not bare:
        center = rng.uniform(0.05, 0.95, 2) * size_px
        matrix = _view(rng, width, height, width_px, center, roll_deg=8)
        return _paste(image, picture, matrix), _truth(plate, matrix, size_px)
    car = draw_car(rng, width, height)
    x, y = car.plate_xy
    scale = width_px / width
    close = width_px > 0.4 * size_px
    at = rng.uniform(0.35, 0.65, 2) if close else rng.uniform((0.12, 0.2), (0.88, 0.92))
    middle = np.array([x + width / 2, y + height / 2]) - np.array(car.image.shape[1::-1]) / 2
    matrix = _view(
        rng, car.image.shape[1], car.image.shape[0], car.image.shape[1] * scale, at * size_px - middle * scale, 4
    )
    covered = _paste(image, car.image, matrix)
    if bare:
        return covered, None
    matrix = matrix @ np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)
    _paste(image, picture, matrix)
    return covered, _truth(plate, matrix, size_px)


def _width_px(rng: np.random.Generator, size_px: int, *, crowded: bool) -> float:
    """From cars across the street to a plate that fills the picture."""
    kind = rng.random()
    low, high = (0.045, 0.1) if kind < 0.33 else (0.1, 0.22) if kind < 0.62 else (0.22, 0.42)
    if kind > 0.87:
        low, high = 0.42, 0.8
    share = rng.uniform(low, high)
    return size_px * (min(share, 0.25) if crowded else share)


def _view(
    rng: np.random.Generator, width: int, height: int, width_px: float, center: _Floats, roll_deg: float
) -> npt.NDArray[np.float64]:
    """The homography of a flat thing, turned about all three axes, `width_px` wide if it were seen straight on."""
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) * (width, height) * (width_px / width)
    yaw = np.clip(np.radians(rng.normal(0, 18)), -0.9, 0.9)
    pitch = np.clip(np.radians(rng.normal(0, 12)), -0.6, 0.6)
    roll = np.radians(rng.normal(0, roll_deg))
    x, y = corners[:, 0] * np.cos(yaw), corners[:, 1] * np.cos(pitch)
    depth = corners[:, 0] * np.sin(yaw) + corners[:, 1] * np.sin(pitch)
    distance = width_px * rng.uniform(2.5, 6)
    near = distance / (distance + depth)
    x, y = x * near, y * near
    seen = np.stack([x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)], 1) + center
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(flat, seen.astype(np.float32)), np.float64)


def _paste(image: BgrImage, picture: npt.NDArray[np.uint8], matrix: npt.NDArray[np.float64]) -> _Floats:
    """Put a BGRA picture into the image; returns how much of each pixel it covers, 0..1."""
    size_px = image.shape[0]
    seen = cv2.warpPerspective(picture, matrix, (size_px, size_px), flags=cv2.INTER_AREA)
    covered: _Floats = seen[:, :, 3].astype(np.float32) / np.float32(255)
    image[:] = (image + (seen[:, :, :3].astype(np.float32) - image) * covered[:, :, None]).astype(np.uint8)
    return covered


def _truth(plate: Plate, matrix: npt.NDArray[np.float64], size_px: int) -> PlateTruth | None:
    height, width = plate.image.shape[:2]
    flat = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
    corners = cv2.perspectiveTransform(flat, matrix)[0]
    truth = PlateTruth(tuple((float(x), float(y)) for x, y in corners), plate.text, plate.style)
    left, top, right, bottom = truth.xyxy(size_px)
    whole = np.prod(corners.max(0) - corners.min(0))
    seen = max(right - left, 0) * max(bottom - top, 0)
    return truth if seen > _LEAST_SEEN * whole and right - left > _LEAST_WIDTH_PX else None


def _covered(truth: PlateTruth, covered: _Floats) -> bool:
    """Whether something drawn later lies on a good part of a plate."""
    left, top, right, bottom = (int(v) for v in truth.xyxy(covered.shape[0]))
    return bool(covered[top : bottom + 1, left : right + 1].mean() > 0.15)


def _is_visible(image: BgrImage, truth: PlateTruth) -> bool:
    left, top, right, bottom = (int(v) for v in truth.xyxy(image.shape[0]))
    part = cv2.cvtColor(image[top : bottom + 1, left : right + 1], cv2.COLOR_BGR2GRAY)
    return bool(part.std() >= _LEAST_CONTRAST)

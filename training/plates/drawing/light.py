"""What light, lens, sensor and compression do to a whole picture, in their order: `photograph`."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from training.plates.drawing.background import cloud
from training.plates.drawing.clutter import draw_fence, draw_overlay

BgrImage = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.float32]


def photograph(rng: np.random.Generator, scene: BgrImage) -> BgrImage:
    light = _expose(rng, _shade(rng, scene.astype(np.float32)))
    image = np.clip(light, 0, 255).astype(np.uint8)
    if rng.random() < 0.08:
        image = _flare(rng, image)
    if rng.random() < 0.08:
        draw_fence(rng, image)
    if rng.random() < 0.1:
        image = np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)
    image = _focus(rng, image)
    if rng.random() < 0.5:
        noise = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(1, 13))
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        draw_overlay(rng, image)
    return image


def _shade(rng: np.random.Generator, light: _Floats) -> _Floats:
    size_px = light.shape[0]
    if rng.random() < 0.4:
        angle, (ys, xs) = rng.uniform(0, 2 * np.pi), np.mgrid[0:size_px, 0:size_px] / size_px - 0.5
        slope = 1 + rng.uniform(0.2, 0.9) * (np.cos(angle) * xs + np.sin(angle) * ys)
        light *= slope[:, :, None].astype(np.float32)
    if rng.random() < 0.3:
        mask = np.ones((size_px, size_px), np.float32)
        if rng.random() < 0.6:  # a house's shadow
            corners = rng.uniform(-0.5, 1.5, (4, 2)) * size_px
            cv2.fillPoly(mask, [corners.astype(np.int32)], float(rng.uniform(0.25, 0.7)))
        else:  # a tree's
            spots = cloud(rng, size_px, size_px, int(rng.integers(8, 40)))[:, :, 0] > rng.uniform(-0.1, 0.1)
            mask[spots] = rng.uniform(0.35, 0.75)
        light *= cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.8, 6))[:, :, None]
    return light


def _expose(rng: np.random.Generator, light: _Floats) -> _Floats:
    kind = rng.random()
    if kind < 0.12:  # night
        light = light * np.float32(rng.uniform(0.1, 0.45))
    elif kind < 0.2:  # haze
        light = light * np.float32(rng.uniform(0.3, 0.7)) + np.float32(rng.uniform(60, 150))
    elif kind < 0.27:  # overexposed
        light = light * np.float32(rng.uniform(1.2, 1.9)) + np.float32(rng.uniform(0, 40))
    if rng.random() < 0.5:
        light = light * rng.uniform(0.9, 1.1, 3).astype(np.float32)
    return light


def _flare(rng: np.random.Generator, image: BgrImage) -> BgrImage:
    """The sun, or a head lamp."""
    size_px = image.shape[0]
    glow = np.zeros_like(image)
    center = int(rng.uniform(0, 1) * size_px), int(rng.uniform(0, 1) * size_px)
    cv2.circle(glow, center, int(rng.uniform(0.02, 0.15) * size_px), (255, 255, 255), -1)
    return np.asarray(cv2.add(image, cv2.GaussianBlur(glow, (0, 0), rng.uniform(0.02, 0.1) * size_px)), np.uint8)


def _focus(rng: np.random.Generator, image: BgrImage) -> BgrImage:
    kind = rng.random()
    if kind < 0.2:  # out of focus
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8)), np.uint8)
    if kind < 0.3:  # moved
        size = int(rng.integers(3, 9))
        kernel = np.zeros((size, size), np.float32)
        cv2.line(kernel, (0, int(rng.integers(0, size))), (size - 1, int(rng.integers(0, size))), 1.0)
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
    if kind < 0.4:  # a camera's own sharpening
        return np.asarray(cv2.addWeighted(image, 1.8, cv2.GaussianBlur(image, (0, 0), 1.2), -0.8, 0), np.uint8)
    if kind < 0.52:  # scaled by a recorder
        small = cv2.resize(image, None, fx=(factor := rng.uniform(0.45, 0.9)), fy=factor, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
    return image

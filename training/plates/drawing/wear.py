"""What time does to a plate: relief, shade, dirt, worn paint, screws, frames. All change the image in place."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from training.plates.drawing.fonts import CAPTIONS, caption
from training.plates.drawing.strokes import Mask

BgrImage = npt.NDArray[np.uint8]
_ADVERTS = (
    "VOLKSWAGEN", "AUTO BAVER BRNO", "TOYOTA OF DOWNTOWN", "www.autohaus.de", "(408) 555-0123", "STEVENS CREEK",
    "University Dad", "HONDA",
    "SLOVENSKA REPUBLIKA", "CESKA REPUBLIKA", "FORD", "I LOVE MY DOG", "RACING TEAM", "Mercedes-Benz", "FLORIDA KEYS",
    "SUNRISE MOTORS", "NSCA",
)  # fmt: skip


def finish(rng: np.random.Generator, image: BgrImage, relief: Mask) -> None:
    """Age a plate; `relief` is where its characters are stamped."""
    height, width = image.shape[:2]
    light = np.zeros((height, width), np.float32)
    if rng.random() < 0.5:  # edges of the stamped characters, lit from one side
        shifted = cv2.warpAffine(
            relief, np.array([[1, 0, rng.uniform(-2, 2)], [0, 1, rng.uniform(0.5, 2)]], np.float32), (width, height)
        )
        light += (relief.astype(np.float32) - shifted) * rng.uniform(-0.3, 0.3)
    if rng.random() < 0.7:  # a slope of light
        light += (np.linspace(-1, 1, height, dtype=np.float32) * rng.normal(0, 14))[:, None]
        light += np.linspace(-1, 1, width, dtype=np.float32) * rng.normal(0, 14)
    if rng.random() < 0.5:
        light += smooth_noise(rng, height, width, int(rng.integers(2, 9))) * rng.uniform(2, 14)
    cv2.add(image, cv2.merge([light] * 3), image, dtype=cv2.CV_8U)
    if rng.random() < 0.22:
        _dirty(rng, image)
    if rng.random() < 0.1:
        _wear_off(rng, image, relief)
    if rng.random() < 0.6:
        _draw_screws(rng, image)


def draw_frame(rng: np.random.Generator, image: BgrImage, *, is_broad: bool) -> None:
    """A holder's frame that covers the plate's edges, often with an advertisement below or above; a broad one cuts what
    stands there, and the feet of the characters.
    """
    height, width = image.shape[:2]
    color = (
        np.array([25, 25, 25])
        if rng.random() < 0.6
        else rng.integers(0, 255, 3)
        if rng.random() < 0.3
        else np.array([185, 188, 190])
    )
    tone = np.clip(color + rng.normal(0, 12, 3), 0, 255)
    side, top, bottom = (
        max(round(height * rng.uniform(*span)), 1)
        for span in (
            ((0.02, 0.08), (0.08, 0.22), (0.1, 0.26)) if is_broad else ((0.01, 0.06), (0.02, 0.13), (0.03, 0.15))
        )
    )
    image[:top] = image[height - bottom :] = tone
    image[:, :side] = image[:, width - side :] = tone
    ink = 245 if tone.mean() < 130 else 20
    for y, room in ((0, top), (height - bottom, bottom)):
        if room < 4 or rng.random() < 0.35:
            continue
        mask = caption(CAPTIONS[rng.integers(len(CAPTIONS))], _ADVERTS[rng.integers(len(_ADVERTS))])
        h = max(round(room * rng.uniform(0.5, 0.85)), 3)
        w = min(round(mask.shape[1] * h / mask.shape[0] * rng.uniform(0.9, 1.8)), int(width * 0.9))
        scaled = cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA)
        part = image[y + (room - h) // 2 :][:h, (width - w) // 2 :][:, :w]
        part[:] = np.where(scaled[:, :, None] > 110, ink, part)


def smooth_noise(rng: np.random.Generator, height: int, width: int, cells: int) -> npt.NDArray[np.float32]:
    """Smooth noise, about standard normal."""
    small = rng.standard_normal((cells, max(cells * width // height, 2)), np.float32)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _dirty(rng: np.random.Generator, image: BgrImage) -> None:
    height, width = image.shape[:2]
    mud = np.array([40, 55, 70]) * rng.uniform(0.6, 2.2)
    amount = np.clip(
        smooth_noise(rng, height, width, int(rng.integers(4, 16))) - rng.uniform(0.2, 1.4), 0, 1
    ) * rng.uniform(0.3, 0.85)
    image[:] = (image + (mud - image) * amount[:, :, None]).astype(np.uint8)


def _wear_off(rng: np.random.Generator, image: BgrImage, relief: Mask) -> None:
    height, width = image.shape[:2]
    bare = (smooth_noise(rng, height, width, int(rng.integers(10, 24))) > rng.uniform(0.7, 1.6)) & (relief > 100)
    paper = np.median(image.reshape(-1, 3)[::37], 0)
    image[bare] = np.clip(paper * rng.uniform(0.8, 1.1), 0, 255)


def _draw_screws(rng: np.random.Generator, image: BgrImage) -> None:
    height, width = image.shape[:2]
    tone = int(rng.integers(20, 235))
    across, y_top = rng.uniform(0.12, 0.32), rng.uniform(0.06, 0.12)
    rows = (
        (y_top, 1 - y_top)
        if rng.random() < 0.5
        else (y_top,)
        if width < height * 2.8
        else (0.5,)
        if rng.random() < 0.1
        else (y_top,)
    )
    for y in rows:
        for x in (across, 1 - across):
            center = (int(width * (x + rng.normal(0, 0.01))), int(height * y))
            radius = max(int(height * rng.uniform(0.018, 0.045)), 1)
            cv2.circle(image, center, radius, (tone, tone, tone), -1, cv2.LINE_AA)
            cv2.circle(image, center, max(radius // 2, 1), (tone // 2,) * 3, 1, cv2.LINE_AA)

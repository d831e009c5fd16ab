"""What else is on a plate: bands, seals, symbols, landscapes."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from training.plates.drawing.fonts import CAPTIONS, caption

BgrImage = npt.NDArray[np.uint8]
Color = tuple[int, int, int]


def draw_band(
    rng: np.random.Generator, image: BgrImage, letters: str, color: Color, *, left_side: bool, short: bool
) -> float:
    """The blue band with stars and a country's letters on one side; returns its width in pixels."""
    height, total = image.shape[:2]
    width = round(height * rng.uniform(0.34, 0.46) * (0.55 if short else 1))
    bottom = round(height * 0.5) if short else height
    x = 0 if left_side else total - width
    band = image[:bottom, x : x + width]
    band[:] = np.clip(np.array(color) + rng.normal(0, 14, 3), 0, 255)
    if left_side and rng.random() < 0.9:
        center, radius = np.array([width / 2, bottom * 0.33]), width * 0.3
        for angle in np.arange(0, 2 * np.pi, np.pi / 6):
            star = center + radius * np.array([np.cos(angle), np.sin(angle)])
            cv2.circle(band, (int(star[0]), int(star[1])), max(int(width * 0.045), 1), (60, 215, 245), -1, cv2.LINE_AA)
    if letters:
        mask = caption(CAPTIONS[0], letters)
        w = round(width * (0.42 if len(letters) == 1 else 0.72))
        h = round(bottom * rng.uniform(0.16, 0.24))
        scaled = cv2.resize(mask, (max(w, 2), max(h, 2)), interpolation=cv2.INTER_AREA)
        y, x0 = round(bottom * 0.7), (width - w) // 2
        part = band[y : y + h, x0 : x0 + w]
        part[:] = np.where(scaled[: part.shape[0], : part.shape[1], None] > 110, 240, part)
    return width


def draw_symbol(rng: np.random.Generator, image: BgrImage, x: float, y: float, width: float, height: float) -> None:
    """A seal, a shield, a state's shape, two seals one above the other: what stands between groups of characters."""
    color = tuple(int(v) for v in rng.integers(10, 230, 3))
    kind = rng.integers(7)
    radius = max(width * rng.uniform(0.3, 0.5), 2)
    centers = [(x, y)] if kind in (0, 1, 2, 5) else [(x, y - height * 0.24), (x, y + height * 0.24)]
    if kind == 6:
        centers = [(x, y - height * 0.2)]
        half = max(width * 0.3, 1)
        cv2.rectangle(
            image, (int(x - half), int(y - height * 0.03)), (int(x + half), int(y + height * 0.05)), (40, 40, 40), -1
        )
    for cx, cy in centers:
        if kind == 1 or kind == 5:  # an uneven outline
            angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
            lengths = radius * rng.uniform(0.55, 1.25, 7)
            points = np.stack([cx + lengths * np.cos(angles), cy + lengths * np.sin(angles)], 1)
            cv2.fillPoly(image, [points.astype(np.int32)], color, cv2.LINE_AA)
        elif kind == 2:  # a shield
            points = np.array([[-0.8, -1], [0.8, -1], [0.8, 0.2], [0, 1.1], [-0.8, 0.2]]) * radius + (cx, cy)
            cv2.fillPoly(image, [points.astype(np.int32)], color, cv2.LINE_AA)
        else:
            r = min(radius, height * 0.22)
            cv2.circle(image, (int(cx), int(cy)), max(int(r), 1), color, -1, cv2.LINE_AA)
            inner = tuple(int(v) for v in rng.integers(60, 255, 3))
            cv2.circle(
                image, (int(cx), int(cy)), max(int(r * 0.55), 1), inner, -1 if rng.random() < 0.6 else 1, cv2.LINE_AA
            )
            color = tuple(int(v) for v in rng.integers(10, 230, 3))


def draw_picture(rng: np.random.Generator, image: BgrImage, ink: Color) -> None:
    """A pale landscape, gradient or figure behind the characters."""
    height, width = image.shape[:2]
    paper = image[0, 0].astype(np.float32)
    away = paper + (paper - np.array(ink, np.float32)) * 0.4
    base = np.clip(paper + rng.normal(0, 40, 3), 0, 255) * 0.6 + np.clip(away, 0, 255) * 0.4
    kind = rng.integers(4)
    if kind == 0:  # gradient from top or bottom
        amount = np.linspace(0, 1, height, dtype=np.float32) ** rng.uniform(1, 3)
        amount = amount if rng.random() < 0.6 else amount[::-1]
        image[:] = (image + (base - image) * amount[:, None, None] * 0.9).astype(np.uint8)
    elif kind == 1:  # hills
        for _ in range(rng.integers(1, 4)):
            xs = np.linspace(0, width, 9)
            ys = height * (rng.uniform(0.5, 0.8) + rng.normal(0, 0.08, 9))
            points = np.concatenate([np.stack([xs, ys], 1), [[width, height], [0, height]]]).astype(np.int32)
            tone = np.clip(base + rng.normal(0, 25, 3), 0, 255)
            cv2.fillPoly(image, [points], tuple(float(v) for v in tone), cv2.LINE_AA)
    elif kind == 2:  # figures in the middle or at a side
        for _ in range(rng.integers(1, 4)):
            center = (int(width * rng.choice([0.15, 0.5, 0.5, 0.85])), int(height * rng.uniform(0.35, 0.7)))
            axes = (int(height * rng.uniform(0.08, 0.3)), int(height * rng.uniform(0.08, 0.3)))
            tone = tuple(float(v) for v in np.clip(base + rng.normal(0, 40, 3), 0, 255))
            cv2.ellipse(
                image, center, axes, float(rng.uniform(0, 180)), 0, float(rng.uniform(180, 360)), tone, -1, cv2.LINE_AA
            )
    else:  # bands of color
        for _ in range(rng.integers(1, 4)):
            y = int(height * rng.choice([rng.uniform(0.0, 0.2), rng.uniform(0.75, 0.95)]))
            thickness = int(height * rng.uniform(0.03, 0.14))
            tone = tuple(float(v) for v in np.clip(base + rng.normal(0, 60, 3), 0, 255))
            cv2.rectangle(image, (0, y), (width, y + thickness), tone, -1)

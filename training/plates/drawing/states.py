"""What American plates have around and behind their characters: stickers, marks between groups, pictures."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from training.plates.drawing.fonts import CAPTIONS, caption

BgrImage = npt.NDArray[np.uint8]
Color = tuple[int, int, int]
_Box = tuple[int, int, int, int]  #: x, y, width, height

_ON_STICKERS = (
    "JAN", "FEB", "MAR", "APR", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC", "10", "25", "2012", "05", "13",
    "K123456", "DUVAL", "14",
)  # fmt: skip


def draw_stickers(rng: np.random.Generator, image: BgrImage) -> None:
    """Month and year in the corners."""
    height, width = image.shape[:2]
    for corner in range(4):
        if rng.random() > (0.45 if corner < 2 else 0.12):
            continue
        w, h = round(height * rng.uniform(0.16, 0.28)), round(height * rng.uniform(0.1, 0.19))
        x = round(width * rng.uniform(0.03, 0.16))
        y = round(height * rng.uniform(0.03, 0.08))
        _draw_sticker(rng, image, (x if corner % 2 == 0 else width - w - x, y if corner < 2 else height - h - y, w, h))


def draw_mark(rng: np.random.Generator, image: BgrImage, x: float, y: float, width: float, height: float) -> None:
    """Between two groups of characters: a sticker, the outline of a state, a fruit; often it touches the characters."""
    if rng.random() < 0.4:
        w, h = max(round(width * rng.uniform(0.7, 1.1)), 3), max(round(height * rng.uniform(0.4, 0.75)), 3)
        _draw_sticker(rng, image, (round(x - w / 2), round(y - h / 2), w, h))
        return
    reach = np.array([width * rng.uniform(0.4, 1.1), height * rng.uniform(0.2, 0.7)])
    tone = np.clip(image[0, 0] + rng.normal(0, 70, 3), 0, 255)
    _fill(image, _outline(rng, np.array([x, y]), reach), tone)
    if rng.random() < 0.4:
        _fill(
            image, _outline(rng, np.array([x, y]) + reach * rng.normal(0, 0.3, 2), reach * 0.5), rng.uniform(0, 255, 3)
        )


def draw_state_picture(rng: np.random.Generator, image: BgrImage, ink: Color) -> None:
    """What stands behind or beside the characters and is darker or lighter than the paper."""
    height, width = image.shape[:2]
    paper = image[0, 0].astype(np.float32)
    toward = paper + (np.array(ink, np.float32) - paper) * rng.uniform(0.12, 0.45) + rng.normal(0, 25, 3)
    kind = rng.integers(4)
    if kind == 0:  # one large shape in the middle, or at a side
        center = np.array([width * rng.choice([0.2, 0.5, 0.5, 0.8]), height * rng.uniform(0.4, 0.65)])
        _fill(image, _outline(rng, center, height * rng.uniform(0.2, 0.55, 2)), toward)
    elif kind == 1:  # a cactus, a tree, a lighthouse: tall and thin beside the first or the last character
        dark = paper + (np.array(ink, np.float32) - paper) * rng.uniform(0.4, 1.0)
        for x in rng.choice([0.035, 0.05, 0.95, 0.965], rng.integers(1, 3)) * width:
            _draw_tree(rng, image, float(x), dark)
    elif kind == 2:  # a sky above and a ground below
        amount = np.abs(np.linspace(-1, 1, height, dtype=np.float32)) ** rng.uniform(1, 4) * rng.uniform(0.4, 1.0)
        image[:] = np.clip(image + (np.clip(toward, 0, 255) - image) * amount[:, None, None], 0, 255).astype(np.uint8)
    else:  # mountains, or a skyline, whose tops are behind the feet of the characters
        xs = np.linspace(0, width, int(rng.integers(5, 24)))
        ys = height * (rng.uniform(0.6, 0.85) + rng.normal(0, 0.07, len(xs)))
        points = np.concatenate([np.stack([xs, ys], 1), [[width, height], [0, height]]])
        _fill(image, points, toward)


def _draw_sticker(rng: np.random.Generator, image: BgrImage, box: _Box) -> None:
    x, y, w, h = box
    part = image[max(y, 0) : y + h, max(x, 0) : x + w]
    if not part.size:
        return
    part[:] = rng.integers(20, 255, 3)
    mask = caption(CAPTIONS[0], _ON_STICKERS[rng.integers(len(_ON_STICKERS))])
    text_h, text_w = round(part.shape[0] * 0.7), round(part.shape[1] * 0.85)
    if min(text_h, text_w) < 2:
        return
    top, left = (part.shape[0] - text_h) // 2, (part.shape[1] - text_w) // 2
    amount = cv2.resize(mask, (text_w, text_h), interpolation=cv2.INTER_AREA)[:, :, None] / np.float32(255)
    inside = part[top : top + text_h, left : left + text_w]
    inside[:] = (inside + (rng.integers(0, 255, 3).astype(np.float32) - inside) * amount).astype(np.uint8)


def _draw_tree(rng: np.random.Generator, image: BgrImage, x: float, tone: npt.NDArray[np.float32]) -> None:
    height = image.shape[0]
    top, foot = height * rng.uniform(0.3, 0.5), height * rng.uniform(0.7, 0.85)
    color, pen = tuple(np.clip(tone, 0, 255).tolist()), max(round(height * rng.uniform(0.015, 0.05)), 1)
    cv2.line(image, (round(x), round(top)), (round(x), round(foot)), color, pen, cv2.LINE_AA)
    for side in rng.choice([-1, 1], rng.integers(0, 3)):
        y, out = rng.uniform(top, foot), height * rng.uniform(0.02, 0.06) * side
        cv2.line(image, (round(x), round(y)), (round(x + out), round(y)), color, pen, cv2.LINE_AA)
        cv2.line(image, (round(x + out), round(y)), (round(x + out), round(y - height * 0.08)), color, pen, cv2.LINE_AA)


def _outline(
    rng: np.random.Generator, center: npt.NDArray[np.float64], reach: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(6, 13))))
    return center + np.stack([np.cos(angles), np.sin(angles)], 1) * reach * rng.uniform(0.55, 1.2, (len(angles), 1))


def _fill(image: BgrImage, points: npt.NDArray[np.float64], tone: npt.NDArray[np.float64]) -> None:
    cv2.fillPoly(image, [points.astype(np.int32)], tuple(np.clip(tone, 0, 255).tolist()), cv2.LINE_AA)

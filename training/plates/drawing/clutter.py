"""Things a plate detector must not fall for: boards, stickers, grilles, badges, fences, a camera's own lettering."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from training.plates.drawing.fonts import CAPTIONS, caption

BgrImage = npt.NDArray[np.uint8]

_WORDS = (
    "TAXI", "POLICE", "SERVICE", "MARKET", "OPEN", "PIZZA", "24H", "SALE", "RENT A CAR", "MIKROS a.s.", "SAAB", "TURBO",
    "DODGE", "4x4", "TDI", "GTI", "HYBRID", "LIMITED", "PARKING", "SCHOOL", "BUS", "STOP", "EXIT", "CAFE", "BANK",
    "VOLKSWAGEN", "TOYOTA", "Carbraxx", "www.autohaus.de", "AMBULANCE", "XLE", "RAM 1500", "Sierra", "DOMINION",
    "INFORMATIKA", "elf", "NO PARKING", "Hotel", "2.0i", "Quattro", "AUTO CENTER", "COROLLA", "FORD",
)  # fmt: skip
_SIGNS = "ABCDEFGHKLMNPRSTUVXYZ0123456789"


def draw_lettering(
    rng: np.random.Generator,
    image: BgrImage,
    x: float,
    y: float,
    height_px: float,
    *,
    board: bool,
    tone: tuple[float, ...] | None = None,
) -> None:
    """A word, a phone number, or letters like a plate's, on paint or on a board of its own."""
    kind = rng.random()
    if kind < 0.6:
        text = _WORDS[rng.integers(len(_WORDS))]
    elif kind < 0.75:
        text = f"{rng.integers(100, 999)}-{rng.integers(100, 999)}-{rng.integers(1000, 9999)}"
    else:
        text = "".join(_SIGNS[index] for index in rng.integers(0, len(_SIGNS), rng.integers(2, 9)))
    mask = caption(CAPTIONS[rng.integers(len(CAPTIONS))], text)
    height = max(round(height_px), 3)
    width = max(round(mask.shape[1] * height / mask.shape[0] * rng.uniform(0.8, 1.7)), 3)
    if board:
        margin = int(height * rng.uniform(0.1, 0.9))
        corner = int(x + width + margin), int(y + height + margin)
        cv2.rectangle(image, (int(x - margin), int(y - margin)), corner, _any_color(rng), -1)
    ink = np.array(tone if tone is not None else _any_color(rng), np.float32)
    left, top = int(x), int(y)
    scaled = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    scaled = scaled[max(-top, 0) :, max(-left, 0) :]
    part = image[max(top, 0) :, max(left, 0) :][: scaled.shape[0], : scaled.shape[1]]
    amount = scaled[: part.shape[0], : part.shape[1], None].astype(np.float32) / 255
    part[:] = (part + (ink - part) * amount).astype(np.uint8)


def draw_board(rng: np.random.Generator, image: BgrImage, height_px: float) -> None:
    """A sign somewhere in the picture."""
    height, width = image.shape[:2]
    at = rng.uniform(-0.1, 0.9, 2) * (width, height)
    draw_lettering(rng, image, at[0], at[1], height_px, board=rng.random() < 0.65)


def draw_shape(rng: np.random.Generator, image: BgrImage) -> None:
    """A rectangle, a disc, a ring, a pole."""
    height, width = image.shape[:2]
    tone = _any_color(rng)
    x, y = (int(v) for v in rng.uniform(0, 1, 2) * (width, height))
    kind = rng.integers(4)
    if kind == 0:
        w, h = (int(v) for v in rng.uniform(0.02, 0.3, 2) * (width, height))
        cv2.rectangle(image, (x, y), (x + w, y + h), tone, int(rng.choice([-1, -1, 1, 3])))
    elif kind == 1:
        cv2.circle(image, (x, y), int(rng.uniform(0.01, 0.13) * width), tone, int(rng.choice([-1, -1, 2, 5])))
    elif kind == 2:
        end = int(x + rng.normal(0, 0.03) * width), int(rng.uniform(0, 1) * height)
        cv2.line(image, (x, y), end, tone, int(rng.integers(1, 9)), cv2.LINE_AA)
    else:
        axes = tuple(int(v) for v in rng.uniform(0.01, 0.1, 2) * width)
        cv2.ellipse(image, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, tone, -1, cv2.LINE_AA)


def draw_bars(rng: np.random.Generator, image: BgrImage) -> None:
    """A grille, a vent, a kerb's hatching: lines side by side."""
    height, width = image.shape[:2]
    x, y = rng.uniform(-0.05, 0.95, 2) * (width, height)
    w, h = rng.uniform(0.05, 0.5) * width, rng.uniform(0.03, 0.3) * height
    spacing = rng.uniform(0.01, 0.045) * width
    tone, thickness = _any_color(rng), max(int(spacing * rng.uniform(0.2, 0.7)), 1)
    slant = rng.choice([0.0, 0.0, 1.0]) * spacing * 2
    upright = rng.random() < 0.4
    for at in np.arange(0, w if upright else h, max(spacing, 2)):
        start = (int(x + at), int(y)) if upright else (int(x), int(y + at))
        end = (int(x + at + slant), int(y + h)) if upright else (int(x + w), int(y + at))
        cv2.line(image, start, end, tone, thickness)


def draw_fence(rng: np.random.Generator, image: BgrImage) -> None:
    """Wires or bars across the whole picture, in front of everything."""
    height, width = image.shape[:2]
    spacing, crossed = rng.uniform(0.02, 0.12) * width, rng.random() < 0.5
    tone, thickness = _any_color(rng), int(rng.integers(1, 3))
    for x in np.arange(-width, 2 * width, spacing):
        cv2.line(image, (int(x), 0), (int(x + crossed * width), height), tone, thickness, cv2.LINE_AA)
        if crossed:
            cv2.line(image, (int(x), height), (int(x + width), 0), tone, thickness, cv2.LINE_AA)


def draw_overlay(rng: np.random.Generator, image: BgrImage) -> None:
    """A camera's date, or a logo in a corner."""
    height, width = image.shape[:2]
    day = f"20{rng.integers(10, 30)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
    text = f"{day} {rng.integers(0, 24)}:0{rng.integers(10)}"
    mask = caption(CAPTIONS[rng.integers(len(CAPTIONS))], text)
    w = int(width * rng.uniform(0.2, 0.5))
    h = max(int(mask.shape[0] * w / mask.shape[1]), 4)
    x = int(rng.choice([0.02, 0.98 - w / width]) * width)
    y = int(rng.choice([0.02 * height, 0.98 * height - h]))
    part = image[y : y + h, x : x + w]
    lit = cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA)[: part.shape[0], : part.shape[1]] > 110
    part[lit] = (255, 255, 255) if rng.random() < 0.7 else (40, 220, 250)


def _any_color(rng: np.random.Generator) -> tuple[int, int, int]:
    if rng.random() < 0.5:
        gray = int(rng.integers(0, 256))
        return gray, gray, gray
    blue, green, red = (int(v) for v in rng.integers(0, 256, 3))
    return blue, green, red

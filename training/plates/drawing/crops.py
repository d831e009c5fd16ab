"""Crops as a detector cuts them, grey, with what they say: `draw_cut` as large as they are, `draw_crop` as large as the
recognizer wants them.

The plate is seen from the side, in a holder, on paint; out of focus, far away, at night, behind a fence, compressed.
A part of the crops shows no plate that can be read: their text is empty, so that the recognizer learns not to invent
one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from training.plates.drawing.fonts import CAPTIONS, caption
from training.plates.drawing.plate import Plate, draw_plate
from training.plates.drawing.wear import smooth_noise
from workers.recognizers.plates import prepare

GrayImage = npt.NDArray[np.uint8]
_GrayAlpha = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.float32]

#: (rng, width and height of the plate's upright box) -> what more is cut out left, top, right and bottom; pixels.
Box = Callable[[np.random.Generator, _Floats], npt.NDArray[np.float64]]

_EMPTY_SHARE = 0.06
_READABLE = 0.55  #: likeness below which effects are drawn anew, so that no text is asked for that cannot be seen
_WORDS = (
    "VOLKSWAGEN", "TAXI", "POLICE", "SERVICE", "AUTO", "TDI", "QUATTRO", "TOYOTA", "SAAB", "www.garage.de",
    "0800 555 123", "CORSA", "EXIT",
    "SALE", "1.6 HDi", "AMBULANCE", "STOP", "P", "Diesel", "4x4", "HYBRID", "Renault", "SINCE 1967", "FRAGILE", "24h",
    "OPEN", "Hotel",
)  # fmt: skip


class Crop(NamedTuple):
    image: GrayImage
    text: str  #: empty: nothing that can be read
    style: str  #: of the plate; "none" without one


def draw_crop(rng: np.random.Generator, style: str | None = None) -> Crop:
    """One crop of the recognizer's input size; the same `rng` state draws the same crop."""
    cut = draw_cut(rng, style)
    return cut._replace(image=prepare(cut.image))


def draw_cut(
    rng: np.random.Generator,
    style: str | None = None,
    *,
    height_px: float | None = None,
    box: Box | None = None,
) -> Crop:
    """One crop of a photo in which the plate is `height_px` high, or of any height, cut out by `box` or badly."""
    if style is None and rng.random() < _EMPTY_SHARE:
        return Crop(_spoil(rng, _no_plate(rng), 40.0), "", "none")
    height_px = height_px or draw_height_px(rng)
    plate = draw_plate(rng, style, height_px=int(np.clip(height_px * 1.15, 44, 96)))
    if plate.height_mm / plate.width_mm < 0.3:
        height_px *= 0.72  # long plates have large characters: fewer pixels will do
    clean = _see(rng, plate, height_px, box or _badly)
    legible = prepare(clean)
    for _ in range(3):
        spoilt = _spoil(rng, clean, height_px)
        if _likeness(legible, prepare(spoilt)) > _READABLE:
            return Crop(spoilt, plate.text, plate.style)
    return Crop(clean, plate.text, plate.style)


def draw_height_px(rng: np.random.Generator, least: float = 17, most: float = 90) -> float:
    """The height of a plate in a photo. Small ones are more frequent: each doubling has the same share."""
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))


def _badly(rng: np.random.Generator, size: _Floats) -> npt.NDArray[np.float64]:
    spread = rng.normal((0.02, 0.03, 0.02, 0.03), (0.035, 0.07, 0.035, 0.07))
    if rng.random() < 0.4:  # with room, as a detector's boxes are cut out
        spread = rng.normal((0.05, 0.1, 0.05, 0.1), (0.04, 0.07, 0.04, 0.07))
    return np.asarray(np.clip(spread, (-0.045, -0.06, -0.045, -0.06), 0.25) * np.tile(size, 2), np.float64)


def _likeness(clean: GrayImage, spoilt: GrayImage) -> float:
    """How much of the strokes is left: the correlation of the two pictures' details, 0..1."""
    if np.ptp(spoilt[12:-12:2, 20:-20:2]) < 16:
        return 0.0
    details = [image - cv2.blur(image, (25, 25)) for image in (clean.astype(np.float32), spoilt.astype(np.float32))]
    return float(np.vdot(*details) / (np.linalg.norm(details[0]) * np.linalg.norm(details[1]) + 1e-6))


def _see(rng: np.random.Generator, plate: Plate, height_px: float, placed: Box) -> GrayImage:
    """The plate in its surroundings, in perspective, cut out by a box."""
    weights = np.clip(np.array([0.114, 0.587, 0.299]) + rng.normal(0, 0.08, 3), 0.02, 1)
    gray = cv2.transform(plate.image[:, :, :3], (weights / weights.sum())[None].astype(np.float32))
    image: _GrayAlpha = np.dstack([np.asarray(gray, np.uint8), plate.image[:, :, 3]])
    shrink = height_px / image.shape[0]
    if shrink < 0.8:
        image = np.asarray(cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
    image, pad = _hold(rng, image)
    plate_h, plate_w = image.shape[0] - pad[0] - pad[1], image.shape[1] - 2 * pad[2]
    width_px = (
        height_px * plate.width_mm / plate.height_mm * rng.uniform(0.82, 1.06)
    )  # seen from the side it is narrower
    corners = _corners(rng, width_px, height_px)
    left, top = corners.min(0)
    right, bottom = corners.max(0)
    more = placed(rng, corners.max(0) - corners.min(0))
    box = (left - more[0], top - more[1], right + more[2], bottom + more[3])
    size = max(round(box[2] - box[0]), 12), max(round(box[3] - box[1]), 6)
    in_image = np.array([[0, 0], [plate_w, 0], [plate_w, plate_h], [0, plate_h]]) + np.array([pad[2], pad[0]])
    matrix = cv2.getPerspectiveTransform(in_image.astype(np.float32), (corners - box[:2]).astype(np.float32))
    warped = cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_LINEAR)
    ground = _ground(rng, size[1], size[0])
    if rng.random() < 0.06:  # infrared: only the plate shines back
        ground *= 0.2
    alpha = warped[:, :, 1].astype(np.float32) / 255
    return (ground + (warped[:, :, 0] - ground) * alpha).astype(np.uint8)


def _corners(rng: np.random.Generator, width: float, height: float) -> _Floats:
    """Where the plate's corners are in the photo: turned, sheared, and a bit of real perspective."""
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]], np.float32) * (width, height)
    turn, shear = np.radians(rng.normal(0, 3)), np.radians(rng.normal(0, 6))
    slope = np.radians(rng.normal(0, 2.5))
    if rng.random() < 0.05:
        turn = np.radians(rng.uniform(-20, 20))
    matrix = np.array([[np.cos(turn), np.tan(shear)], [np.sin(turn) + np.tan(slope), np.cos(turn)]], np.float32)
    return (square @ matrix.T + rng.normal(0, 0.02, (4, 2)) * height).astype(np.float32)


def _hold(rng: np.random.Generator, image: _GrayAlpha) -> tuple[_GrayAlpha, tuple[int, int, int]]:
    """Put a holder around the plate, perhaps with a line of text below; returns paddings top, bottom, sides."""
    if rng.random() < 0.5:
        return image, (0, 0, 0)
    height = image.shape[0]
    top, side = round(height * rng.uniform(0.01, 0.1)), round(height * rng.uniform(0.01, 0.12))
    bottom = round(height * rng.uniform(0.02, 0.3))
    tone = float(rng.uniform(10, 70) if rng.random() < 0.7 else rng.uniform(70, 245))
    held: _GrayAlpha = np.pad(image, ((top, bottom), (side, side), (0, 0)))
    held[held[:, :, 1] < 128] = int(tone), 255
    held[:, :, 1] = 255
    if bottom > 4 and rng.random() < 0.6:
        mask = caption(CAPTIONS[rng.integers(len(CAPTIONS))], _WORDS[rng.integers(len(_WORDS))])
        h = max(round(bottom * rng.uniform(0.5, 0.9)), 3)
        w = min(round(mask.shape[1] * h / mask.shape[0] * rng.uniform(1, 2.5)), int(held.shape[1] * 0.9))
        y, x = held.shape[0] - bottom + (bottom - h) // 2, (held.shape[1] - w) // 2
        _put(held[:, :, 0], mask, (x, y, w, h), 235.0 if tone < 120 else 25.0)
    return held, (top, bottom, side)


def _put(gray: GrayImage, mask: GrayImage, place: tuple[int, int, int, int], tone: float) -> None:
    """Write through a mask, scaled to x, y, width, height."""
    x, y, w, h = place
    part = gray[y : y + h, x : x + w]
    amount = cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA)[: part.shape[0], : part.shape[1]] / np.float32(255)
    part[:] = (part + (tone - part) * amount).astype(np.uint8)


def _ground(rng: np.random.Generator, height: int, width: int) -> _Floats:
    """Paint and plastic around a plate."""
    tone = rng.uniform(5, 250)
    ground = np.full((height, width), tone, np.float32)
    ground += smooth_noise(rng, height, width, int(rng.integers(2, 8))) * rng.uniform(0, 40)
    for _ in range(rng.integers(0, 4)):  # edges of bumper, trunk, recess
        y = int(height * rng.choice([rng.uniform(-0.05, 0.2), rng.uniform(0.8, 1.05)]))
        cv2.line(
            ground, (0, y), (width, y + int(rng.normal(0, 2))), float(rng.uniform(0, 255)), int(rng.integers(1, 5))
        )
    return ground


def _no_plate(rng: np.random.Generator) -> GrayImage:
    """Paint, grilles, lamps, words; a plate too far away to be read."""
    kind = rng.integers(4)
    if kind == 0:
        far = _see(rng, draw_plate(rng, None, height_px=44), float(rng.uniform(3.0, 4.5)), _badly)
        return np.asarray(cv2.resize(far, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR), np.uint8)
    height = int(rng.integers(20, 70))
    width = int(height * rng.uniform(1.6, 5))
    image = np.clip(_ground(rng, height, width), 0, 255).astype(np.uint8)
    if kind == 1:  # a word on paint or on a board
        mask = caption(CAPTIONS[rng.integers(len(CAPTIONS))], _WORDS[rng.integers(len(_WORDS))])
        h, w = int(height * rng.uniform(0.3, 0.8)), int(width * rng.uniform(0.4, 0.95))
        _put(image, mask, ((width - w) // 2, (height - h) // 2, w, h), float(rng.uniform(0, 255)))
    elif kind == 2:  # a grille
        step = int(rng.integers(4, 14))
        for at in range(0, max(height, width), step):
            start, end = ((0, at), (width, at)) if rng.random() < 0.7 else ((at, 0), (at, height))
            cv2.line(image, start, end, float(rng.uniform(0, 255)), int(rng.integers(1, 4)))
    else:  # lamps, handles, an empty plate
        for _ in range(rng.integers(1, 5)):
            center = int(rng.uniform(0, width)), int(rng.uniform(0, height))
            axes = int(rng.uniform(3, width / 2)), int(rng.uniform(3, height / 2))
            cv2.ellipse(
                image, center, axes, 0, 0, 360, float(rng.uniform(0, 255)), int(rng.choice([-1, 1, 3])), cv2.LINE_AA
            )
    return image


def _spoil(rng: np.random.Generator, image: GrayImage, height_px: float) -> GrayImage:
    """What light, lens, sensor and compression do, in their order."""
    height, width = image.shape
    light = image.astype(np.float32)
    if rng.random() < 0.15:
        _draw_bars(rng, light)
    if rng.random() < 0.25:
        _cast_shadow(rng, light)
    if rng.random() < 0.1:  # glare
        center = rng.uniform(0, 1, 2) * (width, height)
        reach = height * rng.uniform(0.2, 0.8)
        ys, xs = np.ogrid[:height, :width]
        light += rng.uniform(60, 200) * np.exp(
            -((xs - center[0]) ** 2 + (ys - center[1]) ** 2) / (2 * reach**2), dtype=np.float32
        )
    # the sharper the photo, the more blur it bears
    character_px = height_px * 0.5
    if rng.random() < 0.6:
        sigma = rng.uniform(0.02, 0.085) * character_px
        if sigma > 0.25:
            light = _blur(light, sigma)
    if rng.random() < 0.25:
        light = _move(rng, light, rng.uniform(0.08, 0.3) * character_px)
    light = _expose(rng, light)
    if rng.random() < 0.7:
        light += rng.standard_normal(light.shape, np.float32) * float(rng.uniform(0.5, 9))
    if rng.random() < 0.25:  # a camera's own sharpening
        light += (light - _blur(light, rng.uniform(0.7, 1.6))) * rng.uniform(0.5, 2.5)
    if rng.random() < 0.15:  # scaled by a recorder
        factor = rng.uniform(0.6, 0.9)
        small = cv2.resize(light, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        light = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    if rng.random() < 0.2:
        light = _record(rng, light)
    done = np.clip(light, 0, 255).astype(np.uint8)
    if rng.random() < 0.75:
        quality = int(rng.uniform(18, 96)) if height_px > 20 else int(rng.uniform(40, 96))
        data = cv2.imencode(".jpg", done, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        done = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return done


def _record(rng: np.random.Generator, light: _Floats) -> _Floats:
    """A video of few pixels, sharpened, hard compressed, and enlarged: its blocks are larger than those of a photo."""
    height, width = light.shape
    factor = rng.uniform(0.55, 1.0)
    small: _Floats = np.asarray(cv2.resize(light, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.float32)
    small += (small - _blur(small, rng.uniform(0.6, 1.3))) * rng.uniform(0, 2.5)
    quality = int(rng.uniform(14, 50) + max(0, 34 - small.shape[0]))  # few pixels bear less
    data = cv2.imencode(".jpg", np.clip(small, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.float32)
    way = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(decoded, (width, height), interpolation=way), np.float32)


def _expose(rng: np.random.Generator, light: _Floats) -> _Floats:
    gain, base = rng.uniform(0.55, 1.15), rng.normal(0, 14)
    kind = rng.random()
    if kind < 0.12:  # night
        gain, base = rng.uniform(0.08, 0.35), rng.uniform(0, 20)
    elif kind < 0.22:  # haze
        gain, base = rng.uniform(0.15, 0.5), rng.uniform(60, 140)
    elif kind < 0.3:  # overexposed
        gain, base = rng.uniform(1.1, 1.5), rng.uniform(0, 25)
    lit = np.clip(light, 0, 255) * np.float32(gain) + np.float32(base)
    if rng.random() < 0.4:
        lit = 255 * (np.clip(lit, 0, 255) / 255) ** np.float32(rng.uniform(0.6, 1.7))
    return lit


def _move(rng: np.random.Generator, light: _Floats, length_px: float) -> _Floats:
    size = int(length_px) | 1
    if size < 3:
        return light
    kernel = np.zeros((size, size), np.float32)
    angle = rng.choice([0.0, 0.0, np.pi / 2, rng.uniform(0, np.pi)])
    half = size // 2
    step = np.array([np.cos(angle), np.sin(angle)]) * half
    cv2.line(
        kernel, (round(half - step[0]), round(half - step[1])), (round(half + step[0]), round(half + step[1])), 1.0
    )
    return np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.float32)


def _blur(light: _Floats, sigma: float) -> _Floats:
    return np.asarray(cv2.GaussianBlur(light, (0, 0), sigma), np.float32)


def _draw_bars(rng: np.random.Generator, light: _Floats) -> None:
    """A fence, a cable, a tow bar: thin things in front."""
    height, width = light.shape
    tone = float(rng.uniform(0, 255))
    slope = rng.choice([0.0, 1.0, -1.0, 9.0]) * rng.uniform(0.7, 1.3)
    thickness = max(round(height * rng.uniform(0.015, 0.05)), 1)
    spacing = height * rng.uniform(0.5, 1.4)
    for at in np.arange(-width, 2 * width, spacing):
        if abs(slope) < 0.1:
            y = int(at + spacing / 3)
            cv2.line(light, (0, y), (width, y), tone, thickness, cv2.LINE_AA)
        else:
            cv2.line(light, (int(at), 0), (int(at + height / slope), height), tone, thickness, cv2.LINE_AA)


def _cast_shadow(rng: np.random.Generator, light: _Floats) -> None:
    height, width = light.shape
    if rng.random() < 0.3:  # leaves
        spots = smooth_noise(rng, height, width, int(rng.integers(3, 9))) > rng.uniform(-0.3, 0.8)
        light[spots] *= rng.uniform(0.35, 0.75)
        return
    mask = np.zeros((height, width), np.uint8)
    y0, y1 = (int(v) for v in height * rng.uniform(-0.2, 1.2, 2))
    x0, x1 = (int(v) for v in width * rng.uniform(0, 1, 2))
    if rng.random() < 0.6:
        edge = np.array([[0, y0], [width, y1], [width, -9], [0, -9]])
    else:
        edge = np.array([[x0, 0], [x1, height], [width + 9, height], [width + 9, 0]])
    cv2.fillPoly(mask, [edge.astype(np.int32)], 255)
    light[mask > 0] *= rng.uniform(0.3, 0.75)

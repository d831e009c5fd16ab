"""Draw a licence plate that no car carries: `draw_plate`."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from training.plates.drawing.fonts import CAPTIONS, GROUPS, caption, glyph
from training.plates.drawing.pictures import draw_band, draw_picture, draw_symbol
from training.plates.drawing.signs import SIGNS, draw_sign
from training.plates.drawing.states import draw_mark, draw_state_picture, draw_stickers
from training.plates.drawing.strokes import Mask
from training.plates.drawing.styles import STYLES, Color, Style
from training.plates.drawing.wear import draw_frame, finish

BgraImage = npt.NDArray[np.uint8]
BgrImage = npt.NDArray[np.uint8]
_T = TypeVar("_T")


class Plate(NamedTuple):
    """A drawn plate. `text` is what a table of true plates would say: A-Z and 0-9 only, lines joined top to bottom."""

    image: BgraImage  #: height x width x 4, alpha is the plate's shape; the plate fills the image
    text: str
    lines: tuple[str, ...]
    style: str  #: such as "eu/de", "us/texas-46", "br/mercosul"
    width_mm: int
    height_mm: int


def draw_plate(rng: np.random.Generator, style: str | Style | None = None, height_px: int = 96) -> Plate:
    """A plate of one style, or of any; the same `rng` state draws the same plate.

    Raises:
        KeyError: there is no such style; `STYLES` has all.
        FileNotFoundError: a font is missing; names the Debian packages to install.
    """
    if isinstance(style, str):
        style = STYLES[style]
    chosen = style or STYLES[_names()[int(np.searchsorted(_chances(), rng.random()))]]
    pattern = chosen.patterns[rng.integers(len(chosen.patterns))]
    two_line = "/" in pattern
    width_mm, height_mm = chosen.two_line_mm if two_line else chosen.size_mm
    width_px = round(height_px * width_mm / height_mm)
    background = _pick(rng, chosen.background)
    ink = _pick(rng, chosen.ink)
    if sum(abs(a - b) for a, b in zip(background, ink, strict=True)) < 210:
        ink = (28, 28, 30) if sum(background) > 330 else (240, 242, 242)
    image: BgrImage = np.empty((height_px, width_px, 3), np.uint8)
    image[:] = _vary(rng, background)
    if rng.random() < chosen.picture:
        is_american = chosen.name.startswith("us/")
        (draw_state_picture if is_american and rng.random() < 0.5 else draw_picture)(rng, image, ink)
    relief: Mask = np.zeros((height_px, width_px), np.uint8)
    left, right = _draw_surroundings(rng, image, chosen, ink, two_line=two_line)
    lines = _draw_lines(rng, image, relief, chosen, pattern, _vary(rng, ink), left, right)
    if rng.random() < chosen.border:
        _draw_border(rng, image, chosen, ink)
    finish(rng, image, relief)
    is_american = chosen.name.startswith("us/")
    if rng.random() < (0.5 if is_american else 0.1):
        draw_frame(rng, image, is_broad=is_american and rng.random() < 0.5)
    alpha = _shape(height_px, width_px, round(height_px * chosen.radius * rng.uniform(0.3, 1.3)))
    return Plate(np.dstack([image, alpha]), "".join(lines), lines, chosen.name, width_mm, height_mm)


@lru_cache(1)
def _names() -> list[str]:
    return list(STYLES)


@lru_cache(1)
def _chances() -> npt.NDArray[np.float64]:
    """EU and UK 34 %, US 42 %, Brazil 10 %, others 14 %."""
    share = {"eu": 0.29, "uk": 0.05, "us": 0.42, "br": 0.10}
    group = [name.split("/")[0] if name.split("/")[0] in share else "other" for name in STYLES]
    weights = np.array([style.weight for style in STYLES.values()])
    for key in set(group):
        here = np.array([one == key for one in group])
        weights[here] *= share.get(key, 0.14) / weights[here].sum()
    return np.cumsum(weights) / weights.sum()


def _draw_surroundings(
    rng: np.random.Generator, image: BgrImage, style: Style, ink: Color, *, two_line: bool
) -> tuple[float, float]:
    """Draw bands and captions; returns where the room for the characters begins and ends, in pixels."""
    height, width = image.shape[:2]
    left = right = height * 0.06
    if style.band and rng.random() < style.band_chance:
        left = draw_band(rng, image, style.band, style.band_color, left_side=True, short=two_line) + height * 0.03
        if style.right_band and rng.random() < 0.8 and not two_line:
            right = draw_band(rng, image, "", style.band_color, left_side=False, short=False) + height * 0.03
    for i, color in enumerate(style.top_band):
        top = 0 if i == 0 else height - round(height * 0.16)
        thin = style.name == "eu/at"
        bottom = top + round(height * (0.03 if thin else 0.2 if style.name.startswith("us/") else 0.24))
        image[top:bottom] = _vary(rng, color)
    on_band = bool(style.top_band) and not style.name.startswith("eu/")
    if style.captions and rng.random() < 0.93:
        color = (
            (245, 245, 245)
            if on_band
            else _vary(rng, ink if rng.random() < 0.6 else _pick(rng, ((40, 30, 170), (150, 60, 30), (40, 40, 40))))
        )
        room = height * rng.uniform(0.1, 0.17)
        _write(
            rng,
            image,
            _pick(rng, style.captions),
            color,
            0.02 * height + room / 2 + height * rng.uniform(0.02, 0.05),
            room,
        )
    if style.slogans and rng.random() < 0.7:
        _write(
            rng,
            image,
            _pick(rng, style.slogans),
            _vary(rng, ink),
            height * rng.uniform(0.88, 0.93),
            height * rng.uniform(0.05, 0.1),
        )
    if style.name.startswith("us/"):
        draw_stickers(rng, image)
    return left, width - right


def _write(rng: np.random.Generator, image: BgrImage, text: str, color: Color, center_y: float, size: float) -> None:
    if not text:
        return
    width = image.shape[1]
    mask = caption(CAPTIONS[rng.integers(len(CAPTIONS))], text)
    wanted = min(mask.shape[1] * size / mask.shape[0] * rng.uniform(0.85, 1.3), width * 0.84)
    _blend(image, mask, width * rng.normal(0.5, 0.02), center_y, wanted, size, color)


class _Cell(NamedTuple):
    kind: str  #: "char", "seal", "gap", "hyphen", "dot", "stack", "note", "sign"
    text: str
    width: float  #: of the character height


def _cells(line: str, rng: np.random.Generator, style: Style, font: str) -> list[_Cell]:
    cells: list[_Cell] = []
    char_width = rng.uniform(*style.char_width)
    gap = rng.uniform(0.18, 0.5)
    fixed_pitch = rng.random() < 0.3
    inside = ""
    stack = ""
    for sign in line:
        if sign in "[{":
            inside, stack = sign, ""
        elif sign in "]}":
            cells.append(_Cell("stack" if inside == "[" else "note", stack, char_width * 0.8))
            inside = ""
        elif sign in " -.*":
            width = {" ": gap, "-": gap + 0.12, ".": gap * 0.7, "*": max(gap, 0.3)}[sign]
            cells.append(_Cell({" ": "gap", "-": "hyphen", ".": "dot", "*": "seal"}[sign], "", width))
        elif sign in SIGNS:
            cells.append(_Cell("sign", sign, min(char_width * rng.uniform(1.0, 1.7), 1.0)))
        else:
            char = _fill(sign, rng, style.letters)
            if inside:
                stack += char
            else:
                cells.append(_Cell("char", char, _char_width(font, char, char_width, fixed_pitch=fixed_pitch)))
    return cells


def _fill(sign: str, rng: np.random.Generator, letters: str) -> str:
    if sign == "?":
        sign = "A" if rng.random() < 0.6 else "9"
    if sign == "A":
        return letters[rng.integers(len(letters))]
    return str(rng.integers(10)) if sign == "9" else sign.upper()


def _char_width(font: str, char: str, wanted: float, *, fixed_pitch: bool) -> float:
    """Of the character height: the font's own proportions, scaled to the style's."""
    mask, usual = glyph(font, char), glyph(font, "H")
    own = mask.shape[1] / usual.shape[1]
    if fixed_pitch and char not in "I1J":
        own = 0.5 + own / 2
    return wanted * min(own, 1.25)


def _draw_lines(
    rng: np.random.Generator,
    image: BgrImage,
    relief: Mask,
    style: Style,
    pattern: str,
    ink: Color,
    left: float,
    right: float,
) -> tuple[str, ...]:
    is_american = style.name.startswith("us/")
    font = _pick(rng, GROUPS[style.font])
    small_font = _pick(rng, GROUPS[style.font])
    height = image.shape[0]
    rows = pattern.split("/")
    char_height = style.char_height if len(rows) == 1 else rng.uniform(0.3, 0.38)
    size = height * char_height * rng.uniform(0.92, 1.06)
    banded = bool(style.captions and style.top_band)
    if banded and len(rows) == 2:
        size = height * rng.uniform(0.26, 0.3)
    first, pitch = (
        (style.center_y, 0.0)
        if len(rows) == 1
        else (0.44, 0.36)
        if banded
        else (0.36, 0.41)
        if style.captions
        else (0.28, 0.45)
    )
    texts: list[str] = []
    weight = float(rng.choice([-1.0, 0.0, 0.0, 0.0, 1.0, 1.0]))
    for number, row in enumerate(rows):
        top_left = left if number == 0 else height * 0.06
        middle = (first + number * pitch + rng.uniform(-0.015, 0.015)) * height
        cells = _cells(row, rng, style, font)
        texts.append(
            _draw_line(
                rng, image, relief, cells, font, small_font, ink, (top_left, right, middle, size, weight), is_american
            )
        )
    return tuple(texts)


def _draw_line(
    rng: np.random.Generator,
    image: BgrImage,
    relief: Mask,
    cells: list[_Cell],
    font: str,
    small_font: str,
    ink: Color,
    place: tuple[float, float, float, float, float],
    is_american: bool,
) -> str:
    left, right, middle, size, weight = place
    spacing = rng.uniform(0.08, 0.2)
    natural = sum(cell.width + spacing for cell in cells) * size
    room = (right - left) * rng.uniform(0.88, 0.97)
    stretch = min(room / natural, rng.uniform(1.0, 1.7 if is_american else 1.25))  # American letters fill their plates
    x = left + (right - left - natural * stretch) * float(np.clip(rng.normal(0.5, 0.12), 0.15, 0.85))
    text = ""
    for cell in cells:
        width = cell.width * size * stretch
        step = width + spacing * size * stretch
        center = x + step / 2
        if cell.kind == "char":
            mask = _weighted(font, cell.text, weight)
            _blend(image, mask, center, middle, width, size, ink, relief)
            text += cell.text
        elif cell.kind == "sign":
            _blend(image, draw_sign(rng, cell.text), center, middle, width, size * rng.uniform(0.7, 1.0), ink, relief)
        elif cell.kind == "seal":
            draw = draw_mark if is_american and rng.random() < 0.6 else draw_symbol
            draw(rng, image, center, middle, min(step * 0.95, size * 0.7), size)
        elif cell.kind == "hyphen":
            half = size * 0.11
            cv2.rectangle(
                image,
                (int(center - half), int(middle - size * 0.05)),
                (int(center + half), int(middle + size * 0.05)),
                ink,
                -1,
            )
        elif cell.kind == "dot":
            cv2.circle(image, (int(center), int(middle)), max(int(size * 0.07), 1), ink, -1, cv2.LINE_AA)
        elif cell.kind in ("stack", "note"):
            each = size * (0.5 if len(cell.text) < 3 else 0.33)
            for i, char in enumerate(cell.text):
                y = middle - size / 2 + each * (i + 0.5) * size / (each * len(cell.text))
                _blend(image, glyph(small_font, char), center, y, min(width, each * 0.75), each * 0.84, ink, relief)
            text += cell.text if cell.kind == "stack" else ""
        x += step
    return text


@lru_cache(16384)
def _weighted(font: str, char: str, weight: float) -> Mask:
    """The glyph with a thicker or thinner pen."""
    mask = glyph(font, char)
    if weight == 0 or min(mask.shape) < 20:
        return mask
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.dilate(mask, kernel) if weight > 0 else cv2.erode(mask, kernel), np.uint8)


def _blend(
    image: BgrImage,
    mask: Mask,
    center_x: float,
    center_y: float,
    width: float,
    height: float,
    color: Color,
    relief: Mask | None = None,
) -> None:
    """Put ink through a mask, scaled to width x height around the center; the part outside the image is cut off."""
    w, h = max(round(width), 1), max(round(height), 1)
    x, y = round(center_x - w / 2), round(center_y - h / 2)
    scaled = cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA if h < mask.shape[0] else cv2.INTER_LINEAR)
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, image.shape[1]), min(y + h, image.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    scaled = scaled[y0 - y : y1 - y, x0 - x : x1 - x]
    part = image[y0:y1, x0:x1]
    amount = scaled.astype(np.float32)[:, :, None] / 255
    part[:] = (part + (np.array(color, np.float32) - part) * amount).astype(np.uint8)
    if relief is not None:
        np.maximum(relief[y0:y1, x0:x1], scaled, out=relief[y0:y1, x0:x1])


def _draw_border(rng: np.random.Generator, image: BgrImage, style: Style, ink: Color) -> None:
    height, width = image.shape[:2]
    inset, thickness = round(height * rng.uniform(0.01, 0.035)), max(round(height * rng.uniform(0.01, 0.03)), 1)
    color = ink if rng.random() < 0.7 else (120, 120, 120)
    radius = round(height * style.radius)
    outer = _shape(height, width, radius).copy()
    inner = np.zeros_like(outer)
    cut = inset + thickness
    inner[cut : height - cut, cut : width - cut] = _shape(height - 2 * cut, width - 2 * cut, max(radius - cut, 0))
    outer[:inset] = outer[height - inset :] = 0
    outer[:, :inset] = outer[:, width - inset :] = 0
    image[(outer > 127) & (inner < 128)] = color


@lru_cache(4096)
def _shape(height: int, width: int, radius: int) -> Mask:
    """A rectangle with round corners, 255 inside; do not write to it."""
    mask: Mask = np.zeros((height, width), np.uint8)
    r = max(min(radius, height // 2 - 1, width // 2 - 1), 0)
    cv2.rectangle(mask, (r, 0), (width - 1 - r, height - 1), 255, -1)
    cv2.rectangle(mask, (0, r), (width - 1, height - 1 - r), 255, -1)
    for x in (r, width - 1 - r):
        for y in (r, height - 1 - r):
            cv2.circle(mask, (x, y), r, 255, -1, cv2.LINE_AA)
    return mask


def _vary(rng: np.random.Generator, color: Color) -> Color:
    b, g, r = (int(v) for v in np.clip(np.array(color) * rng.uniform(0.9, 1.08) + rng.normal(0, 7, 3), 0, 255))
    return b, g, r


def _pick(rng: np.random.Generator, options: tuple[_T, ...]) -> _T:
    return options[rng.integers(len(options))]

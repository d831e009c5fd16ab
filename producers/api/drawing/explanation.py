"""Draws an explanation: the picture with numbered boxes, and below it a row for each box with its crop and its fate.

`python -m producers.api.drawing.explanation PHOTO --out FILE` reads the explanation from its input, for
`sightline explain`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from producers.api.drawing.annotate import LIMITS, Color, Image, corners_of, decode, encode
from sightline.submission.jobs import NewFrame
from storage.results.explanations import Candidate, Explanation, Verdict

_WIDTH: Final = 1280
_ROW, _CROP_WIDTH, _PAD = 64, 240, 8
#: A frame full of text has more boxes than anybody reads.
_MOST_ROWS: Final = 40
_FONT: Final = cv2.FONT_HERSHEY_DUPLEX
_GROUND, _INK, _DIM = (250, 249, 248), (28, 24, 20), (120, 112, 104)
_LOST: Final[Color] = (40, 110, 235)
_COLORS: Final[dict[Verdict, Color]] = {
    Verdict.CHOSEN: (70, 160, 30),
    Verdict.PLATE: (160, 150, 40),
    Verdict.VOTED_OUT: (180, 90, 150),
    Verdict.WEAK_BOX: (150, 150, 150),
}


def draw(picture: bytes, explanation: Explanation) -> bytes:
    """The explanation as a JPEG file, 1280 pixels wide.

    Raises:
        BadImageError: the picture is damaged.
    """
    image = decode(picture)
    shown = explanation.candidates[:_MOST_ROWS]
    rows = [_row(image, one) for one in shown]
    left_out = len(explanation.candidates) - len(shown)
    head = _line(explanation.why + (f" ({left_out} more boxes)" if left_out else ""))
    scale = _WIDTH / image.shape[1]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    top = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=way)[:, :_WIDTH], np.uint8)
    for one in reversed(shown):  # the best ones on top
        _outline(top, one, scale)
    return encode(np.vstack([top, head, *rows]))


def _outline(image: Image, one: Candidate, scale: float) -> None:
    corners = np.array(one.detection.corners or corners_of(one.detection.xyxy), np.float64) * scale
    outline = np.clip(corners.round(), -10_000, 20_000).astype(np.int32)
    cv2.polylines(image, [outline], True, _INK, 4, cv2.LINE_AA)
    cv2.polylines(image, [outline], True, _color(one), 2, cv2.LINE_AA)
    x, y = max(0, int(outline[:, 0].min()) - 1), max(16, int(outline[:, 1].min()) - 2)
    cv2.rectangle(image, (x, y - 16), (x + 9 * len(str(one.index)) + 6, y), _color(one), -1)
    cv2.putText(image, str(one.index), (x + 3, y - 3), _FONT, 0.45, (255, 255, 255), 1, cv2.LINE_AA)


def _row(image: Image, one: Candidate) -> Image:
    row = np.full((_ROW, _WIDTH, 3), _GROUND, np.uint8)
    row[:, :6] = _color(one)
    crop = _crop(image, one)
    top = (_ROW - crop.shape[0]) // 2
    row[top : top + crop.shape[0], 60 : 60 + crop.shape[1]] = crop
    _write(row, str(one.index), (16, 40), _INK)
    read = f"{one.reading.text}  {one.reading.confidence:.2f}" if one.reading else "-"
    facts = f"detector {one.detection.confidence:.2f}, {one.height_px:.0f} px high"
    left = 60 + _CROP_WIDTH + 2 * _PAD
    _write(row, f"{one.verdict.replace('_', ' ')}:  {read}   ({facts})", (left, 27), _INK)
    _write(row, one.why, (left, 51), _DIM)
    return row


def _crop(image: Image, one: Candidate) -> Image:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (round(value) for value in one.detection.xyxy)
    left, top = min(max(x1, 0), width - 1), min(max(y1, 0), height - 1)
    cut = image[top : max(top + 1, min(y2, height)), left : max(left + 1, min(x2, width))]
    scale = min(_CROP_WIDTH / cut.shape[1], (_ROW - _PAD) / cut.shape[0])
    size = max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale))
    return np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA), np.uint8)


def _line(text: str) -> Image:
    line = np.full((40, _WIDTH, 3), _GROUND, np.uint8)
    _write(line, text, (16, 26), _INK)
    return line


def _write(image: Image, text: str, at: tuple[int, int], color: Color) -> None:
    """OpenCV's letters are those of ASCII."""
    plain = "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in text)
    cv2.putText(image, plain, at, _FONT, 0.55, color, 1, cv2.LINE_AA)


def _color(one: Candidate) -> Color:
    return _COLORS.get(one.verdict, _LOST)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m producers.api.drawing.explanation", description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    explanation = Explanation.model_validate_json(sys.stdin.read())
    photo = NewFrame.photo(arguments.photo.read_bytes(), limits=LIMITS)
    arguments.out.write_bytes(draw(photo.data, explanation))


if __name__ == "__main__":
    main()

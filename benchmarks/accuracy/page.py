"""A page of every miss: the crop, what was read, what is there, why. One file, pictures inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, select_autoescape

from benchmarks.accuracy.judge import Judged
from benchmarks.accuracy.report import Figures, percent
from sightline.types import Xyxy
from workers.pixels.images import BgrImage, decode, encode_jpeg

_WIDTH_PX = 320
_GREEN, _RED = (90, 200, 60), (60, 60, 230)


def write_page(path: Path, judged: Mapping[str, Sequence[Judged]], rows: Sequence[Figures]) -> None:
    """Write the page of all configurations."""
    misses = {config: [_miss(one) for one in each if one.reason] for config, each in judged.items()}
    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=folder, autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True)
    template = environment.get_template("misses.html")
    shown = [{"row": row, "exact": percent(row.exact), "found": percent(row.found_first)} for row in rows]
    path.write_text(template.render(misses=misses, rows=shown), encoding="utf-8")


def _miss(one: Judged) -> dict[str, Any]:
    photo = one.photo
    return {
        "picture": base64.b64encode(encode_jpeg(_crop(one), quality=75)).decode(),
        "country": photo.country,
        "half": photo.half,
        "file": photo.path.name,
        "read": one.plate or "nothing",
        "confidence": f"{one.confidence:.2f}" if one.plate else "",
        "true": photo.corrected,
        "reason": one.reason,
        "detail": one.detail,
    }


def _crop(one: Judged) -> BgrImage:
    """The surroundings of the plate, with the true box (green) and the boxes found (red)."""
    image = decode(one.photo.path.read_bytes(), max_mpx=100)
    x1, y1, x2, y2 = one.photo.xyxy
    pad = y2 - y1
    left, top = max(0, int(x1 - pad)), max(0, int(y1 - pad))
    part = image[top : int(y2 + pad) + 1, left : int(x2 + pad) + 1]
    scale = _WIDTH_PX / part.shape[1]
    part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    for candidate in one.explanation.candidates:
        _draw(part, candidate.detection.xyxy, (left, top), scale, _RED)
    _draw(part, one.photo.xyxy, (left, top), scale, _GREEN)
    return part


def _draw(part: BgrImage, xyxy: Xyxy, offset: tuple[int, int], scale: float, color: tuple[int, int, int]) -> None:
    x1, y1, x2, y2 = (round((value - offset[index % 2]) * scale) for index, value in enumerate(xyxy))
    cv2.rectangle(part, (x1, y1), (x2, y2), color, 1, cv2.LINE_AA)

"""Parts of a picture, as they are written in a command."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from sightline.errors import BadMessageError

_ZONE: Final = re.compile(r"(?P<name>[^:=]+)(?::(?P<mode>[^=]*))?=(?P<corners>[^@]*)(?:@(?P<size>.*))?")
_SIZE: Final = re.compile(r"\s*(\d{1,6})\s*[x\N{MULTIPLICATION SIGN}]\s*(\d{1,6})\s*")


def read_polygons(texts: list[str]) -> list[list[list[float]]]:
    """Polygons as `0,0.5 1,0.5 1,1`. Raises `BadMessageError`."""
    try:
        return [_corners(text) for text in texts if text]
    except ValueError as error:
        raise BadMessageError(
            f"mask: {' | '.join(texts)!r} is no polygon; write corners as x,y with blanks between, such as "
            "'0,0.5 1,0.5 1,1 0,1'",
            field="mask",
        ) from error


def read_zones(texts: list[str]) -> list[dict[str, Any]]:
    """Zones as `gate:report=0,540 1920,540 1920,1080@1920x1080`, mode and size where they are wanted.

    Raises `BadMessageError`.
    """
    return [_zone(text) for text in texts if text]


def _zone(text: str) -> dict[str, Any]:
    found = _ZONE.fullmatch(text)
    size = found and found["size"] and _SIZE.fullmatch(found["size"])
    try:
        if found is None or (found["size"] is not None and not size):
            raise ValueError
        polygon = _corners(found["corners"])
    except ValueError as error:
        raise BadMessageError(
            f"zone: {text!r} is no zone; write NAME=corners or NAME:MODE=corners, such as "
            "'gate:report=0,0.5 1,0.5 1,1 0,1', in pixels with the size of the picture: '…@1920x1080'",
            field="zone",
        ) from error
    zone: dict[str, Any] = {
        "name": found["name"].strip(),
        "mode": (found["mode"] or "mark").strip(),
        "polygon": polygon,
    }
    return zone | ({"size": [int(size[1]), int(size[2])]} if size else {})


def _corners(text: str) -> list[list[float]]:
    corners = [[float(number) for number in corner.split(",")] for corner in text.split()]
    if any(len(corner) != 2 or not all(map(math.isfinite, corner)) for corner in corners):
        raise ValueError(text)
    return corners

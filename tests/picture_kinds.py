"""Pictures of every kind that becomes a JPEG where it comes in, all showing the same."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import Any, Final

import cv2
import numpy as np
import pillow_heif
from PIL import Image, ImageCms

from tests.exif import exif_of

pillow_heif.register_heif_opener()

#: By suffix: how Pillow calls the kind.
KINDS: Final = {".heic": "HEIF", ".avif": "AVIF", ".tif": "TIFF", ".bmp": "BMP", ".gif": "GIF", ".jp2": "JPEG2000"}
#: Those that can say when they were taken.
DATED: Final = (".heic", ".avif", ".tif")
SIZE: Final = (320, 200)


def drawn(mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right, a white stripe along the top."""
    image = Image.new("RGB", SIZE, (200, 30, 40))
    image.paste((20, 40, 190), (SIZE[0] // 2, 0, *SIZE))
    image.paste((255, 255, 255), (0, 0, SIZE[0], 40))
    return image.convert(mode)


@cache
def encoded(suffix: str) -> bytes:
    return saved(drawn(), KINDS[suffix])


def dated(suffix: str, taken: str, **more: str) -> bytes:
    """Taken then, as EXIF writes it. (Pillow drops that directory of a TIFF, but for one that is written so.)"""
    exif = exif_of(taken, **more)
    if suffix == ".tif":
        return saved(drawn(), "TIFF", tiffinfo={0x8769: exif.get_ifd(0x8769)})
    return saved(drawn(), KINDS[suffix], exif=exif.tobytes())


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def animated(kind: str = "GIF") -> bytes:
    """The drawn picture, then two others."""
    others = [Image.new("RGB", SIZE, shade) for shade in ("green", "black")]
    return saved(drawn(), kind, save_all=True, append_images=others)


def look(jpeg: bytes) -> tuple[tuple[int, int, int], ...]:
    """Red, green and blue as workers see them: in the middle of the left half, of the right half, and of the stripe."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    height, width = image.shape[:2]
    spots = ((height * 3 // 5, width // 4), (height * 3 // 5, width * 3 // 4), (height // 10, width // 2))
    blue, green, red = (0, 1, 2)
    return tuple((int(image[spot][red]), int(image[spot][green]), int(image[spot][blue])) for spot in spots)


def looks_drawn(jpeg: bytes, *, within: int = 12) -> bool:
    wanted = ((200, 30, 40), (20, 40, 190), (255, 255, 255))
    seen = look(jpeg)
    return all(
        abs(a - b) <= within for one, other in zip(seen, wanted, strict=True) for a, b in zip(one, other, strict=True)
    )


@cache
def swapping_profile() -> bytes:
    """A color profile in which what is stored as red is green, and the other way round."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for one, other in ((b"rXYZ", b"gXYZ"), (b"rTRC", b"gTRC")):
        profile = profile.replace(one, b"????", 1).replace(other, one, 1).replace(b"????", other, 1)
    return profile

"""Photos that say when they were taken."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

from PIL import Image

_MAKE, _EXIF_IFD, _TAKEN, _OFFSET, _FRACTION = 0x010F, 0x8769, 0x9003, 0x9011, 0x9291


def photo(
    taken: str | None = None,
    *,
    offset: str | None = None,
    fraction: str | None = None,
    kind: str = "JPEG",
    shade: int = 0,
) -> bytes:
    """A small picture of one shade; a time as EXIF writes it, `2024:05:06 07:08:09`."""
    file = BytesIO()
    exif = exif_of(taken, offset=offset, fraction=fraction)
    Image.new("RGB", (64, 48), (shade, 90, 90)).save(file, kind, exif=exif)
    return file.getvalue()


def exif_of(taken: str | None, *, offset: str | None = None, fraction: str | None = None) -> Image.Exif:
    exif = Image.Exif()
    exif[_MAKE] = "a camera"
    directory = exif.get_ifd(_EXIF_IFD)
    for tag, text in {_TAKEN: taken, _OFFSET: offset, _FRACTION: fraction}.items():
        if text is not None:
            directory[tag] = text
    return exif


def photo_at(moment: datetime, *, shade: int = 0) -> bytes:
    """Taken at that moment, to the microsecond, as a camera that knows its zone writes it."""
    at = moment.astimezone(UTC)
    return photo(f"{at:%Y:%m:%d %H:%M:%S}", offset="+00:00", fraction=f"{at:%f}", shade=shade)

"""What counts as an image, decided by its first bytes and its header, before anything is decoded."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Self

import imagesize

from sightline.errors import BadImageError
from sightline.images.kinds import HEAD_BYTES, name_kind

if TYPE_CHECKING:
    from sightline.settings import AcceptedSettings

ImageFormat = Literal["jpeg", "png", "webp"]

#: The next marker: neither a stuffed 0xff of the compressed data, nor one of the restarts within it.
_JPEG_MARKER: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]", re.DOTALL)
_START_OF_SCAN: Final = 0xDA
_END_OF_IMAGE: Final = 0xD9
#: Many times what real files have; a file made of empty segments must not keep us busy.
_MAX_SEGMENTS: Final = 20_000


class ImageLimits(NamedTuple):
    """The largest picture that workers accept (`SIGHTLINE_MAX_IMAGE_MB`, `SIGHTLINE_MAX_IMAGE_MPX`)."""

    max_mb: float
    max_mpx: float

    @classmethod
    def of(cls, settings: AcceptedSettings) -> Self:
        return cls(settings.max_image_mb, settings.max_image_mpx)


class ImageInfo(NamedTuple):
    """Format and size in pixels, as the header says."""

    format: ImageFormat
    width: int
    height: int


def check_image(data: bytes, *, max_mb: float, max_mpx: float) -> ImageInfo:
    """Check size, format and dimensions of an encoded image without decoding it.

    Raises:
        BadImageError: empty, too large, of another format, cut off, or with too many pixels; the text says which
            limit was met and what to do.
    """
    check_bytes(data, max_mb)
    image_format = format_of(data)
    if image_format is None:
        kind = name_kind(data[:HEAD_BYTES])
        found = f"starts with {data[:8]!r}" if kind is None else kind
        raise BadImageError(f"image: {found}, which is no JPEG, PNG or WebP; convert it first")
    width, height = imagesize.get(BytesIO(data))
    if width <= 0 or height <= 0:
        raise BadImageError(f"image: the {image_format} header has no size; the file is damaged or cut off")
    check_pixels(width, height, max_mpx)
    if not _is_whole(data, image_format):
        raise BadImageError(f"image: the {image_format} file is cut off ({len(data)} bytes); send it again, whole")
    return ImageInfo(image_format, int(width), int(height))


def check_bytes(data: bytes, max_mb: float) -> None:
    """Raises BadImageError: empty, or larger than that."""
    if not data:
        raise BadImageError("image: empty (0 bytes); send the bytes of a JPEG, PNG or WebP")
    if len(data) > max_mb * 1_000_000:
        raise BadImageError(
            f"image: {len(data) / 1_000_000:.1f} MB, at most {max_mb:g} MB are accepted; send it smaller"
        )


def check_pixels(width: int, height: int, max_mpx: float) -> None:
    """Raises BadImageError: there are more."""
    if width * height > max_mpx * 1_000_000:
        raise BadImageError(
            f"image: {width} x {height} are {width * height / 1e6:.0f} megapixels, "
            f"at most {max_mpx:g} are accepted; scale it down"
        )


def format_of(data: bytes) -> ImageFormat | None:
    """Of a picture with these first bytes; None if we take none that starts so."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def may_be_transparent(data: bytes) -> bool:
    """Whether a picture that we take says that what is behind it may show: decoders that are asked for colors alone
    give black there, or whatever the file has, which nobody was to see."""
    kind = format_of(data)
    if kind == "png":
        return data[25:26] in (b"\4", b"\6") or bool(png_part(data, b"tRNS"))
    if kind == "webp" and data[12:16] == b"VP8X":
        return bool(data[20:21]) and bool(data[20] & 0x10)
    return kind == "webp" and data[12:16] == b"VP8L" and bool(int.from_bytes(data[21:25], "little") >> 28 & 1)


def png_part(data: bytes, wanted: bytes) -> bytes:
    """What a PNG has under this name before its pixels; empty where there is none."""
    at = 8
    for _ in range(_MAX_SEGMENTS):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if name == wanted:
            return data[at + 8 : at + 8 + length]
        if len(name) < 4 or name == b"IDAT":
            return b""
        at += 12 + length
    return b""


def _is_whole(data: bytes, image_format: ImageFormat) -> bool:
    """Whether the end is there. Decoders fill the missing part of a cut-off JPEG with gray and say nothing.

    What follows the end is nobody's business: phones append films to their photos.
    """
    if image_format == "jpeg":
        return _is_whole_jpeg(data)
    if image_format == "png":
        return _is_whole_png(data)
    return len(data) >= 8 + int.from_bytes(data[4:8], "little")


def _is_whole_jpeg(data: bytes) -> bool:
    """From segment to segment, so that the end of an embedded thumbnail is not taken for the end of the picture."""
    at, scanned = 2, False
    for _ in range(_MAX_SEGMENTS):
        marker = _JPEG_MARKER.search(data, at)
        if marker is None:
            return False
        kind = data[marker.end() - 1]
        if kind == _END_OF_IMAGE:
            return scanned
        scanned = scanned or kind == _START_OF_SCAN
        at = marker.end() + max(2, int.from_bytes(data[marker.end() : marker.end() + 2], "big"))
    return False


def _is_whole_png(data: bytes) -> bool:
    at = 8
    for _ in range(_MAX_SEGMENTS):  # each has a length, a name and a checksum
        name, at = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if name == b"IEND":
            return at <= len(data)
    return False

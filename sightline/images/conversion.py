"""Pictures of kinds that workers do not read become JPEG where they come in. Needs Pillow, which is loaded then."""

from __future__ import annotations

import threading
from datetime import datetime
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeGuard

from sightline.errors import BadImageError
from sightline.images.exif import TAGS, taken_in
from sightline.images.header import ImageLimits, check_bytes, check_pixels, format_of, may_be_transparent
from sightline.images.kinds import Kind

if TYPE_CHECKING:
    from PIL.Image import Image

#: Pillow's classes themselves: `Image.open` tries others too, warns by limits of its own, and needs them registered.
_READERS: Final[dict[Kind, tuple[str, str]]] = {
    "HEIC": ("pillow_heif.as_plugin", "HeifImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "JPEG 2000": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
}
#: Of kinds that workers read themselves, for others who are to see what they saw.
_READ: Final[dict[Kind, tuple[str, str]]] = {
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WebP": ("PIL.WebPImagePlugin", "WebPImageFile"),
}
_EXIF_IFD: Final = 0x8769
_SUBFILE_TYPE, _DNG_VERSION = 254, 50706
#: The best that fits into the limits is taken.
_QUALITIES: Final = (95, 85, 70, 50)
#: Decoded pictures are large: so many are worked on at once, the others wait.
_turn: Final = threading.BoundedSemaphore(2)


class Converted(NamedTuple):
    """A picture as JPEG, upright, in sRGB, on white where it was transparent. Its file said when it was taken, or None.

    `note`: what of the file is not in it, for people.
    """

    jpeg: bytes
    taken_at: datetime | None
    note: str = ""


def is_convertible(kind: Kind | None) -> TypeGuard[Kind]:
    """Whether there is a reader for a file of this kind, if Pillow is installed."""
    return kind in _READERS


def opaque(data: bytes, limits: ImageLimits) -> bytes:
    """A PNG or WebP with transparent parts as a JPEG on white, upright, as workers see it; any other as it is.

    Raises BadImageError as `to_jpeg` does.
    """
    if not may_be_transparent(data):
        return data
    return to_jpeg(data, "PNG" if format_of(data) == "png" else "WebP", limits).jpeg


def to_jpeg(data: bytes, kind: Kind, limits: ImageLimits) -> Converted:
    """Of a file with several pictures the first. Its size is looked at before anything is decoded.

    Raises:
        BadImageError: larger than the limits, damaged, cut off, a camera's raw file, or Pillow is not installed.
    """
    check_bytes(data, limits.max_mb)
    with _turn:
        try:
            image = _open(data, kind)
            width, height = image.size
            check_pixels(width, height, limits.max_mpx)
            _refuse_raw(image, data)
            note = _note(image, kind)
            taken_at = _taken_at(image)
            return Converted(_encode(_plain(image, kind), limits), taken_at, note)
        except (BadImageError, MemoryError):
            raise
        except Exception as error:  # Pillow passes on whatever its readers raise about damaged files
            raise BadImageError(f"image: this {kind} file is damaged or cut off ({error}); send it whole") from error


def _open(data: bytes, kind: Kind) -> Any:
    module, name = (_READERS | _READ)[kind]
    try:
        reader = getattr(import_module(module), name)
    except ImportError as error:
        raise BadImageError(
            f"image: {kind}; to read it: pip install 'sightline[pictures]'. Or convert it to JPEG, PNG or WebP first"
        ) from error
    return reader(BytesIO(data))


def _refuse_raw(image: Any, data: bytes) -> None:
    """Raw files of cameras are TIFF too, with a thumbnail as their first picture."""
    tags = getattr(image, "tag_v2", None)
    if tags is not None and (data[8:10] == b"CR" or _DNG_VERSION in tags or tags.get(_SUBFILE_TYPE, 0) & 1):
        raise BadImageError("image: a camera's raw file, or a TIFF that begins with a thumbnail; export it as JPEG")


def _note(image: Any, kind: Kind) -> str:
    if not getattr(image, "is_animated", False):
        return ""
    if kind == "HEIC":
        return f"HEIC of {image.n_frames} pictures, of which the main one was taken"
    return f"{kind} of several pictures, of which the first was taken"


def _taken_at(image: Any) -> datetime | None:
    try:
        exif = image.getexif().get_ifd(_EXIF_IFD)
        return taken_in({tag: str(exif.get(tag, "")).encode("ascii", "replace") for tag in TAGS})
    except Exception:  # noqa: BLE001  a picture is not worse for EXIF that is garbage
        return None


def _plain(image: Image, kind: Kind) -> Image:
    """Upright, in RGB."""
    from PIL import ImageOps

    image.load()
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # cameras for industry fill 10 or 12 of 16 bits
        most: Any = image.getextrema()
        scale = 2.0 ** -max(0, int(most[1]).bit_length() - 8)
        image = image.point(lambda value: value * scale).convert("L")
    elif image.mode in ("I", "F"):
        raise BadImageError(f"image: this {kind} file has values of 32 bits; save it with 8 or 16")
    if image.has_transparency_data:
        image = on_white(image)
    elif image.mode == "P":  # a profile is of colors, and not of their numbers
        image = image.convert("RGB")
    return _in_srgb(image, profile) if profile else image.convert("RGB")


def on_white(image: Image) -> Image:
    """Without what shows through: there it is white."""
    from PIL import Image

    opaque = Image.new("RGBA", image.size, "white")
    opaque.alpha_composite(image.convert("RGBA"))
    return opaque.convert("RGB")


def _in_srgb(image: Image, profile: bytes) -> Image:
    """As its color profile says, if that can be read and is for colors of this kind."""
    from PIL import ImageCms

    try:
        given = ImageCms.ImageCmsProfile(BytesIO(profile))
        converted = ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image.convert("RGB")
    return converted or image.convert("RGB")


def _encode(image: Image, limits: ImageLimits) -> bytes:
    for quality in _QUALITIES:
        file = BytesIO()
        image.save(file, "JPEG", quality=quality, subsampling=0)
        if file.tell() <= limits.max_mb * 1_000_000:
            return file.getvalue()
    raise BadImageError(f"image: as a JPEG it has more than {limits.max_mb:g} MB; send it smaller")

"""What one may give to the client as an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from sightline.errors import BadMessageError
from sightline.submission.names import readable_name

#: An encoded picture: a path, its bytes, or an open binary file.
Image = str | Path | bytes | bytearray | memoryview | BinaryIO


def read_image(image: Any) -> tuple[bytes, str]:
    """The bytes of an image and its name."""
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image), ""
    if isinstance(image, str) and image.lower().startswith(("http://", "https://", "data:")):
        cure = "submit its bytes, or post it to the API as one of `urls`, which fetches public addresses only"
        raise BadMessageError(f"images: {image[:80]!r} is a URL, not a path; {cure}", field="images")
    if isinstance(image, str | Path):
        return Path(image).read_bytes(), readable_name(Path(image).name)
    data = image.read() if callable(getattr(image, "read", None)) else None
    if not isinstance(data, bytes):
        raise TypeError(f"images: {kind_of(image)}; each is a path, bytes or an open binary file: {_cure(image)}")
    return data, readable_name(Path(str(getattr(image, "name", ""))).name)


def kind_of(image: Any) -> str:
    return f"{type(image).__module__}.{type(image).__qualname__}".removeprefix("builtins.")


def _cure(image: Any) -> str:
    """What whoever gave this wanted to write."""
    if isinstance(image, list | tuple | set):
        return "submit(*images)"
    if hasattr(image, "save") and hasattr(image, "mode"):
        return 'of a Pillow image, image.save(buffer, "JPEG") into an io.BytesIO'
    if hasattr(image, "shape"):
        return 'of an array, cv2.imencode(".jpg", array)[1].tobytes()'
    return 'open(path, "rb")'

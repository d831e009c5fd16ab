"""Images that come as text: base64, or a data URL, which has its kind in front."""

from __future__ import annotations

import base64
import binascii

from sightline.errors import BadImageError, BadMessageError


def open_base64(text: str, field: str, max_mb: float) -> bytes:
    """The bytes of an image. Line breaks and missing padding do not matter.

    Raises:
        BadImageError: it is larger than `max_mb`, which its length tells.
        BadMessageError: it is no base64; names `field` and what it looks like.
    """
    if text[:5].lower() == "data:":
        head, _, text = text.partition(",")
        if not head.lower().endswith(";base64"):
            raise BadMessageError(f"{field}: {head[:40]!r} is no data URL in base64", field=field)
    elif text[:8].lower().startswith(("http://", "https://")):
        raise BadMessageError(f"{field}: a URL; give it in `urls`", field=field)
    size_mb = len(text) * 3 / 4 / 1_000_000
    if size_mb > max_mb * 1.05:  # line breaks are part of the length; what is inside is measured again
        raise BadImageError(f"{field}: {size_mb:.1f} MB, at most {max_mb:g} MB are accepted; send it smaller")
    packed = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadMessageError(
            f"{field}: no base64, and no data URL (starts with {text[:20]!r})", field=field
        ) from error

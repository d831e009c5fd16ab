"""The picture of a passage, for sinks that want it with their events."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from io import BytesIO
from typing import Any, Final, Literal

from sightline.blobs.opening import open_frame_store
from sightline.errors import SettingsError
from sightline.images.conversion import on_white
from sightline.settings import Settings

_MARGIN: Final = 0.15  #: around a plate, of its width and height
_QUALITY: Final = 90


class Pictures:
    """What lies in the picture store, as it is or cut to the plate."""

    def __init__(self, settings: Settings, wanted: Literal["none", "crop", "frame"]) -> None:
        """Raises SettingsError: Pillow, which cuts, is not installed."""
        if wanted == "crop":
            try:
                import_module("PIL.Image")
            except ImportError as error:
                raise SettingsError("picture: crop needs Pillow: pip install 'sightline[pictures]'") from error
        self._wanted = wanted
        self._store = open_frame_store(settings.picture_store_url, ttl_s=None) if wanted != "none" else None

    def of(self, data: Mapping[str, Any]) -> bytes | None:
        """The picture of an event's passage. None: none is wanted, kept, or it is no event of a passage.

        Raises StoreUnavailableError: the picture store does not answer.
        """
        if self._store is None or "best_frame_id" not in data:
            return None
        (picture,) = self._store.get_many([data["best_frame_id"]])
        if picture is None or self._wanted == "frame":
            return picture
        return _cut(picture, data["best_xyxy"]) if data["best_xyxy"] else None


def _cut(picture: bytes, xyxy: tuple[float, float, float, float]) -> bytes:
    from PIL import Image, ImageOps

    left, top, right, bottom = xyxy
    beside, above = (right - left) * _MARGIN, (bottom - top) * _MARGIN
    with Image.open(BytesIO(picture)) as encoded:
        image = ImageOps.exif_transpose(encoded)  # boxes are of the upright picture
        box = (
            max(0, int(left - beside)),
            max(0, int(top - above)),
            min(image.width, int(right + beside) + 1),
            min(image.height, int(bottom + above) + 1),
        )
        written = BytesIO()
        cut = image.crop(box)
        opaque = on_white(cut) if cut.has_transparency_data else cut.convert("RGB")
        opaque.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()

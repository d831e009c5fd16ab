"""Pictures as a model that sees is shown them: no larger than it needs, upright, as JPEG."""

from __future__ import annotations

from importlib.util import find_spec

from sightline.errors import SettingsError
from sightline.settings import Settings


class Shown:
    """Makes pictures small. OpenCV is imported here and nowhere before: few chat workers have it."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError: OpenCV is not installed."""
        if find_spec("cv2") is None:
            raise SettingsError(
                "SIGHTLINE_CHAT_SEES_PICTURES: pictures are made small by OpenCV, which is not installed: "
                "pip install -e '.[cpu]'"
            )
        from workers.pixels import images

        self._images = images
        self._most_px = settings.chat_picture_px
        self._limits = {"max_mb": settings.max_image_mb, "max_mpx": settings.max_image_mpx}

    def __call__(self, data: bytes) -> bytes:
        """Raises BadImageError: it is damaged, or larger than the limits."""
        image = self._images.decode_small(data, least_px=self._most_px, **self._limits).image
        return self._images.encode_jpeg(self._images.within(image, self._most_px))

"""Pictures of streams and files as cameras take them: arrays, with the time they were taken at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from producers.camera.sources.source import BgrImage
from sightline.video.picture import Picture


@dataclass(slots=True)
class VideoGrab:
    """A decoded picture, or one that decodes alone and is decoded when it is asked for."""

    at_s: float
    captured_at: datetime
    picture: Picture

    @property
    def damaged(self) -> bool:
        return self.picture.damaged

    def gray(self, width: int) -> BgrImage:
        frame = self.picture.frame()
        height = max(1, round(frame.height * width / frame.width))
        return cast("BgrImage", frame.reformat(width, height, "gray", interpolation="AREA", threads=1).to_ndarray())

    def bgr(self) -> BgrImage:
        return cast("BgrImage", self.picture.upright().reformat(format="bgr24", threads=1).to_ndarray())

"""Pictures of streams and files as cameras take them: arrays, with the time they were taken at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from producers.camera.sources.source import BgrImage, StreamFacts
from sightline.video.container import Container
from sightline.video.picture import Picture

_CODECS: Final = {"h264": "H.264", "hevc": "H.265", "mpeg4": "MPEG-4", "mpeg2video": "MPEG-2"}


@dataclass(slots=True)
class VideoGrab:
    """A decoded picture, or one that decodes alone and is decoded when it is asked for."""

    at_s: float
    captured_at: datetime
    picture: Picture

    @property
    def damaged(self) -> bool:
        return self.picture.damaged

    @property
    def stamp_s(self) -> float | None:
        return self.picture.stamp_s

    @property
    def is_key(self) -> bool:
        return self.picture.is_key

    def gray(self, width: int) -> BgrImage:
        frame = self.picture.frame()
        height = max(1, round(frame.height * width / frame.width))
        return cast("BgrImage", frame.reformat(width, height, "gray", interpolation="AREA", threads=1).to_ndarray())

    def bgr(self) -> BgrImage:
        return cast("BgrImage", self.picture.upright().reformat(format="bgr24", threads=1).to_ndarray())


def facts_of(container: Container) -> StreamFacts:
    stream = container.stream
    codec = stream.codec_context.name
    kind = container.av.format.name.partition(",")[0].upper()
    return StreamFacts(
        kind, _CODECS.get(codec, codec.upper()), stream.width, stream.height, container.stated_fps, container.latency_s
    )

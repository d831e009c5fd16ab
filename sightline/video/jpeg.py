"""A picture of a video as JPEG, by FFmpeg's own encoder: no other imaging library is needed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import av

from sightline.images.header import ImageLimits

#: From the best on, as FFmpeg counts: 2 is about quality 95 of other programs, 31 about 10.
_QUALITIES: Final = (2, 5, 10, 20, 31)


def encode_jpeg(frame: av.VideoFrame, limits: ImageLimits | None = None) -> bytes:
    """As good as fits into the limits: worse before smaller, and smaller only where nothing else helps."""
    if limits is None:
        return _encode(frame.reformat(format="yuvj420p"), _QUALITIES[0])
    shrink = min(1.0, (limits.max_mpx * 1e6 / (frame.width * frame.height)) ** 0.5)
    while True:
        width, height = max(1, int(frame.width * shrink)), max(1, int(frame.height * shrink))
        picture = frame.reformat(width, height, "yuvj420p")
        for quality in _QUALITIES:
            data = _encode(picture, quality)
            if len(data) <= limits.max_mb * 1e6 or width == height == 1:
                return data
        shrink /= 2


def _encode(picture: av.VideoFrame, quality: int) -> bytes:
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = picture.width, picture.height
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 25)
    encoder.options = {"qmin": str(quality), "qmax": str(quality)}
    picture.pts = None
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])

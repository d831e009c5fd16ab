"""Decoding through PyAV: what streams and files have in common.

Every frame of an inter-coded stream (H.264, H.265) must be decoded, sampled or not: later frames build on it. Frames
of an intra-only one (MJPEG) are decoded only when their pixels are asked for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import av
import av.error
import cv2

from producers.camera.source import BgrImage, SourceOptions
from sightline.errors import SourceError
from sightline.redaction import redact_text, redact_url

#: So many broken packets in a row and the stream is given up; a lossy network breaks a few now and then.
_MAX_BROKEN = 250
#: A stream that starts between two key frames shows nothing until the next one.
_MAX_BLIND_S = 60.0
#: By the counterclockwise degrees a phone wrote into the file.
_ROTATIONS = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    -90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    -180: cv2.ROTATE_180,
}


@dataclass(slots=True)
class VideoGrab:
    """A decoded frame, or the packet of one that decodes alone."""

    at_s: float
    captured_at: datetime
    _media: av.VideoFrame | av.Packet

    def gray(self, width: int) -> BgrImage:
        frame = self.decode()
        height = max(1, round(frame.height * width / frame.width))
        return cast("BgrImage", frame.reformat(width, height, "gray", interpolation="AREA", threads=1).to_ndarray())

    def bgr(self) -> BgrImage:
        frame = self.decode()
        image = cast("BgrImage", frame.reformat(format="bgr24", threads=1).to_ndarray())
        rotation = _ROTATIONS.get(frame.rotation)
        return image if rotation is None else cast("BgrImage", cv2.rotate(image, rotation))

    def decode(self) -> av.VideoFrame:
        """The frame, decoded now if it was not yet. Raises `SourceError`."""
        if isinstance(self._media, av.Packet):
            self._media = _decode_alone(self._media)
        return self._media


class Container:
    """An open PyAV container and the time stamps and frames of its first video stream."""

    def __init__(
        self, url: str, options: SourceOptions, ffmpeg_options: dict[str, str], *, frame_threads: bool
    ) -> None:
        self._url = url
        self._options = options
        self._waits_since_s = time.monotonic()
        with self._errors(options.open_timeout_s, "did not open within"):
            timeouts_s = (options.open_timeout_s, options.read_timeout_s)
            self.av = av.open(url, options=ffmpeg_options, timeout=timeouts_s)
        videos = [stream for stream in self.av.streams.video if getattr(stream, "codec_context", None)]
        if not videos:
            self.av.close()
            raise SourceError(f"{redact_url(url)}: there is no video in it that can be decoded")
        self.stream = videos[0]
        self.decodes_alone = self.stream.codec_context.codec.intra_only
        # Each frame thread holds back one frame, and hundreds of live cameras would start thousands of them.
        frame_threads = frame_threads and not self.decodes_alone
        self.stream.thread_type = "AUTO" if frame_threads else "SLICE"
        self.stream.codec_context.thread_count = 0 if frame_threads else 1

    def media(self) -> Iterator[tuple[float | None, av.VideoFrame | av.Packet]]:
        """(time stamp in seconds from the start, frame or packet) until the end. Broken packets are skipped."""
        broken = 0
        decoded_at_s = time.monotonic()
        self._waits_since_s = time.monotonic()
        with self._errors(self._options.read_timeout_s, "silent for"):
            for packet in self.av.demux(self.stream):
                if self._waited_s() >= self._options.read_timeout_s:
                    raise TimeoutError  # FFmpeg hands out what its parser held back, and would wait once more
                try:
                    media = ([packet] if packet.size else []) if self.decodes_alone else packet.decode()
                except av.error.InvalidDataError:
                    broken += 1
                    if broken > _MAX_BROKEN:
                        raise
                    continue
                for item in media:
                    broken = 0
                    yield self._stamp_s(item), item
                self._waits_since_s = time.monotonic()
                if media:
                    decoded_at_s = self._waits_since_s
                elif self._waits_since_s - decoded_at_s > _MAX_BLIND_S:
                    raise ValueError(f"data but no picture for {_MAX_BLIND_S:g} s; does the camera send key frames?")

    def stamped_media(self) -> Iterator[tuple[float, av.VideoFrame | av.Packet]]:
        """The same, each with a time stamp: one without follows the one before at the stream's rate."""
        at_s = -self.frame_s
        for stamp_s, media in self.media():
            at_s = at_s + self.frame_s if stamp_s is None else stamp_s
            yield at_s, media

    @property
    def frame_s(self) -> float:
        """Seconds between two frames, as the container says."""
        return float(1 / (self.stream.average_rate or 25))

    @contextmanager
    def _errors(self, limit_s: float, too_slow: str) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if self._waited_s() >= 0.95 * limit_s:  # FFmpeg has several names for a time-out
                reason = f"{too_slow} {limit_s:g} s"
            raise SourceError(f"{redact_url(self._url)}: {redact_text(reason, self._url)}") from error

    def _waited_s(self) -> float:
        return time.monotonic() - self._waits_since_s

    def _stamp_s(self, item: av.VideoFrame | av.Packet) -> float | None:
        time_base = item.time_base or self.stream.time_base
        if item.pts is None or time_base is None:
            return None
        return float((item.pts - (self.stream.start_time or 0)) * time_base)


def _decode_alone(packet: av.Packet) -> av.VideoFrame:
    try:
        frames = packet.decode()
    except av.error.FFmpegError as error:
        raise SourceError(f"a frame could not be decoded: {error.strerror}") from error
    if not frames:
        raise SourceError("a frame could not be decoded: there is no picture in it")
    return frames[0]

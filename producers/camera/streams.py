"""Cameras on the network: RTSP over TCP, and HTTP (MJPEG, or whatever FFmpeg recognizes)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from producers.camera.sampling import StreamClock
from producers.camera.source import SourceOptions
from producers.camera.video import Container, VideoGrab
from sightline.errors import SourceError
from sightline.redaction import redact_url

_NETWORK_PROTOCOLS = "rtsp,rtsps,rtp,srtp,http,https,httpproxy,tcp,tls,udp,crypto"  # a playlist must not read our files


class StreamSource:
    """A camera, or a file, on the network.

    Live, `captured_at` is the wall clock. From the archive the end of the stream is its end, and times count from the
    opening of the stream.
    """

    name = ""

    def __init__(self, url: str, options: SourceOptions) -> None:
        timeout_us = str(round(options.read_timeout_s * 1e6))
        # `fpsprobesize`: do not wait two seconds to guess the frame rate. `nobuffer` would be quicker still, but throws
        # the first key frame away: no picture then until the next one.
        ffmpeg_options = {"protocol_whitelist": _NETWORK_PROTOCOLS, "fpsprobesize": "0", "timeout": timeout_us}
        if url.lower().startswith("rtsp"):
            ffmpeg_options |= {"rtsp_transport": "tcp", "allowed_media_types": "video"}
        self._url = url
        self._live = options.preset == "live"
        self._container = Container(url, options, ffmpeg_options, frame_threads=False)
        self._opened_at = datetime.now(UTC)
        self.edition = self._opened_at.isoformat()

    def grabs(self) -> Iterator[VideoGrab]:
        if self._live:
            yield from self._live_grabs()
            raise SourceError(f"{redact_url(self._url)}: the stream ended")
        for at_s, media in self._container.stamped_media():
            yield VideoGrab(at_s, self._opened_at + timedelta(seconds=at_s), media)

    def _live_grabs(self) -> Iterator[VideoGrab]:
        clock = StreamClock()
        stamped = self._container.av.format.name != "mpjpeg"  # it has none: FFmpeg would invent 25 fps
        for stamp_s, media in self._container.media():
            yield VideoGrab(clock.at_s(stamp_s if stamped else None), datetime.now(UTC), media)

    def close(self) -> None:
        self._container.av.close()

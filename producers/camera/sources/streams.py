"""Cameras that send a stream: RTSP over TCP, else UDP, RTMP, SRT, and what comes by HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx

from producers.camera.address import encode_credentials
from producers.camera.sources.reach import Reach
from producers.camera.sources.sampling import Pacer, StreamClock
from producers.camera.sources.source import SourceOptions, StreamFacts
from producers.camera.sources.video import VideoGrab, facts_of
from sightline.errors import SourceError
from sightline.redaction import redact_url
from sightline.video.clock import PositionClock
from sightline.video.container import Container, ReadOptions

#: They send as they film, and no playlist leads from them to our files.
LIVE_SCHEMES: Final = ("rtsp", "rtsps", "rtmp", "rtmps", "srt")
_PROTOCOLS: Final = "rtsp,rtsps,rtp,srtp,rtmp,rtmps,ffrtmphttp,srt,tcp,tls,udp"
#: FFmpeg does not wait two seconds to guess the frame rate. `nobuffer` would be quicker still, but throws the first key
#: frame away: no picture then until the next one.
QUICK: Final = {"fpsprobesize": "0"}
#: They come in pieces of seconds, each as fast as the network is.
_IN_PIECES: Final = ("hls", "dash")
#: What a server keeps for who comes between two key frames is no longer than this, and comes in the beginning.
_AHEAD_S, _BEGINNING_S = 3.0, 10.0


class StreamSource:
    """A camera, or a file, on the network.

    Live, `captured_at` is the wall clock. From the archive the end of the stream is its end, and times count from the
    opening of the stream.
    """

    name = ""
    shortfall: str | None = None

    def __init__(
        self,
        url: str,
        container: Container,
        options: SourceOptions,
        stop: threading.Event,
        close: Callable[[], None] | None = None,
    ) -> None:
        """`close`: ends what the container is read from."""
        self._url = url
        self._sends_as_it_films = url.lower().startswith(LIVE_SCHEMES)
        self._stop = stop
        self._live = options.preset == "live"
        self._container = container
        self._close = close
        self._opened_at = datetime.now(UTC)
        self.edition = self._opened_at.isoformat()

    @property
    def facts(self) -> StreamFacts:
        return facts_of(self._container)

    def grabs(self) -> Iterator[VideoGrab]:
        if not self._live:
            yield from self._archive_grabs()
            return
        yield from self._live_grabs()
        if not self._stop.is_set():
            raise SourceError(f"{redact_url(self._url)}: the stream ended")

    def close(self) -> None:
        self._container.close()
        if self._close is not None:
            self._close()

    def _archive_grabs(self) -> Iterator[VideoGrab]:
        clock = self._clock()
        for picture in self._container.pictures():
            at_s = clock.next_s if picture.is_lost else clock.at_s(picture.stamp_s)
            yield VideoGrab(at_s, self._opened_at + timedelta(seconds=at_s), picture)

    def _live_grabs(self) -> Iterator[VideoGrab]:
        """As they come, for a camera sends each when it was taken; where they come faster, at the pace of their stamps.

        What is not read yet then waits where it comes from, nothing of it here.
        """
        position, wall = self._clock(), StreamClock()
        pacer = Pacer(self._stop) if self._comes_in_pieces() else None
        began_s = time.monotonic()
        for picture in self._container.pictures():
            at_s = position.next_s if picture.is_lost else position.at_s(picture.stamp_s)
            if pacer is None and picture.stamp_s is not None and self._runs_ahead(at_s, time.monotonic() - began_s):
                pacer = Pacer(self._stop)
            if pacer is None:
                yield VideoGrab(wall.at_s(picture.stamp_s), datetime.now(UTC), picture)
            elif pacer.wait(at_s):
                yield VideoGrab(began_s + at_s, datetime.now(UTC), picture)
            else:
                return

    def _comes_in_pieces(self) -> bool:
        """Pieces of seconds, or a file that somebody serves."""
        container = self._container.av
        is_file = container.duration is not None and not self._sends_as_it_films
        return container.format.name in _IN_PIECES or is_file

    def _runs_ahead(self, at_s: float, passed_s: float) -> bool:
        """A file does that from the beginning. A camera sends at once what it kept since a key frame, no more."""
        return not self._sends_as_it_films and passed_s < _BEGINNING_S and at_s - passed_s > _AHEAD_S

    def _clock(self) -> PositionClock:
        return PositionClock(self._container.frame_s, self._container.start_s)


def open_stream(url: str, options: SourceOptions, stop: threading.Event) -> StreamSource:
    """Open a stream that FFmpeg knows how to ask for.

    Raises:
        SourceError: it cannot be opened, or must not be.
    """
    encoded = encode_credentials(url)
    try:
        Reach(httpx.URL(encoded), allow_private=options.allow_private)
    except httpx.InvalidURL as error:
        raise SourceError(f"{redact_url(url)}: {error}") from error
    ffmpeg = QUICK | {"protocol_whitelist": _PROTOCOLS}
    if url.lower().startswith("rtsp"):
        # TCP loses nothing. The few cameras that do not speak it say so, and are asked for UDP.
        ffmpeg |= {"rtsp_transport": "tcp+udp", "rtsp_flags": "prefer_tcp", "allowed_media_types": "video"}
        ffmpeg["timeout"] = str(round(options.read_timeout_s * 1e6))  # of RTMP it means to wait for a caller
    elif url.lower().startswith("rtmp"):
        ffmpeg["analyzeduration"] = "1000000"  # it waits so long for sound that is announced and never comes
    read = ReadOptions(
        ffmpeg,
        open_timeout_s=options.open_timeout_s,
        read_timeout_s=options.read_timeout_s,
        on_demand=options.on_demand,
        hardware=options.hardware,
    )
    return StreamSource(url, Container(encoded, read), options, stop)

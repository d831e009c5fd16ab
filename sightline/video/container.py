"""An open container and the pictures of its video track, in order. A broken part costs what it holds and no more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import av
import av.error
from av.codec.hwaccel import HWAccel
from av.container import InputContainer

from sightline.errors import SourceError
from sightline.redaction import redact_text, redact_url
from sightline.video.filters import Deinterlacer, Turn
from sightline.video.hardware import DEVICE_ERRORS, OFF, accelerator
from sightline.video.losses import Losses
from sightline.video.pending import PendingPackets
from sightline.video.picture import Picture
from sightline.video.track import best_track, turned_by_tag
from sightline.video.words import explain, explain_file

log = logging.getLogger(__name__)

#: So many broken packets in a row and a stream is given up; a lossy network breaks a few now and then.
_MAX_BROKEN: Final = 250
#: A stream that starts between two key frames shows nothing until the next one.
_MAX_BLIND_S: Final = 60.0
_BLIND: Final = f"data but no picture for {_MAX_BLIND_S:g} s; does the camera send key frames?"
#: So many places in a row that cannot be read and the rest of a file is given up.
_MAX_FAILED: Final = 100
#: Nothing but coded pictures, without time stamps: FFmpeg would invent 25 fps.
_BARE: Final = frozenset(
    ("av1", "h261", "h263", "h264", "hevc", "m4v", "mjpeg", "mpegvideo", "mpjpeg", "obu", "vc1", "vvc")
)
#: Codecs whose decoder calls no picture corrupt. It can fail instead; what follows a whole picture is not its business.
_JPEGS: Final = frozenset(("mjpeg", "mjpegb"))
#: Codecs of which FFmpeg gives out a picture while another thread still repairs it, without saying that it is damaged.
_TOLD_LATE: Final = frozenset(("h264",))


class ReadableFile(Protocol):
    """What PyAV reads like a file. What its methods raise comes through FFmpeg as it is."""

    def read(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class ReadOptions:
    """How a container is opened and read."""

    ffmpeg: dict[str, str]
    format: str | None = None  #: of the container; None: its content decides
    file: ReadableFile | None = None  #: read in place of what the URL names
    open_file: Callable[[str], ReadableFile] | None = None  #: for what a playlist names; None: FFmpeg does
    open_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    #: Decode on all cores. Each thread holds back a picture, and hundreds of live cameras would start thousands.
    frame_threads: bool = False
    #: Broken parts are passed over until the end: opening a file again brings nothing better.
    is_file: bool = False
    #: Nothing is decoded but what somebody asks for: then the newest picture, from any thread.
    on_demand: bool = False
    hardware: str = OFF  #: what decodes, as `sightline.video.hardware.accelerator` takes it


class Container:
    """An open container and the pictures of its best video track."""

    def __init__(self, url: str, options: ReadOptions) -> None:
        """Raises `SourceError`: it cannot be opened, or there is no video in it."""
        self._url = url
        self._options = options
        self._waits_since_s = time.monotonic()
        self.packets = 0  #: of the video, so far
        self._is_open = False
        with self._errors(options.open_timeout_s, "did not open within"):
            self.av = self._opened(accelerator(options.hardware))
        self._is_open = True
        try:
            self.stream = best_track(self.av)
        except SourceError as error:
            self.av.close()
            raise SourceError(f"{self._name}: {error}") from error
        self.decodes_alone = self.stream.codec_context.codec.intra_only
        codec = self.stream.codec_context.name
        frame_threads = options.frame_threads and not self.decodes_alone and codec not in _TOLD_LATE
        self.stream.thread_type = "AUTO" if frame_threads else "SLICE"
        self.stream.codec_context.thread_count = 0 if frame_threads else 1
        if codec in _JPEGS:
            # Without it a cut-off picture goes on with what the picture before left in memory, and nothing says so.
            self.stream.codec_context.options = {"err_detect": "explode"}
        self._turn = Turn()
        self._tag_degrees = turned_by_tag(self.stream)
        self._is_bare = self.av.format.name in _BARE
        self._looked_at_first = False
        self._packet: av.Packet | None = None

    def pictures(self) -> Iterator[Picture]:
        """The pictures until the end, with those that are damaged or lost.

        Those that decode alone are not decoded yet, but for the first good one, which says whether they are interlaced.

        Raises:
            SourceError: it cannot be read on, or was silent for too long.
        """
        if self._options.on_demand:
            yield from self._pending_pictures()
            return
        deinterlacer: Deinterlacer | None = None
        for picture in self._coded_pictures():
            if deinterlacer is None and picture.is_interlaced:
                deinterlacer = Deinterlacer()
                self.decodes_alone = False
            if deinterlacer is None or picture.is_lost:
                yield picture
                continue
            for frame, coded in deinterlacer.push(picture.frame(), picture):
                yield coded.deinterlaced(frame)
        if deinterlacer is not None:
            for frame, coded in deinterlacer.flush():
                yield coded.deinterlaced(frame)

    @property
    def frame_s(self) -> float:
        """Seconds between two frames, as the container says; where there is none, the codec."""
        return 1 / (self.stated_fps or 25)

    @property
    def stated_fps(self) -> float | None:
        """Frames a second, as the container says; where there is none, the codec."""
        rate = self.stream.codec_context.framerate if self._is_bare else self.stream.average_rate
        return float(rate) if rate else None

    @property
    def start_s(self) -> float | None:
        """The time stamp of the first picture, as the container says."""
        if self.stream.start_time is None or self.stream.time_base is None or self._is_bare:
            return None
        return float(self.stream.start_time * self.stream.time_base)

    @property
    def latency_s(self) -> float | None:
        """How long ago the newest packet was sent, by the clock of its sender (RTP with reports); None: not said."""
        if self._packet is None or not self._packet.has_sidedata("prft"):
            return None
        sent_us = int.from_bytes(bytes(self._packet.get_sidedata("prft"))[:8], "little", signed=True)
        return round(time.time() - sent_us / 1e6, 3)

    @property
    def has_size(self) -> bool:
        """Whether a picture was found when it was opened."""
        return self.stream.width > 0

    def close(self) -> None:
        self.av.close()

    def _opened(self, hardware: HWAccel | None) -> InputContainer:
        options = self._options
        try:
            return av.open(  # pyright: ignore[reportReturnType] - it is read
                options.file or self._url,
                format=options.format,
                options=options.ffmpeg,
                timeout=(options.open_timeout_s, options.read_timeout_s),
                metadata_errors="replace",
                io_open=_opener(options.open_file),
                hwaccel=hardware,
            )
        except DEVICE_ERRORS as error:
            if hardware is None or options.file is not None:  # of which a part was read
                raise
            log.warning("%s: decoded in software: %s", self._name, getattr(error, "strerror", None) or error)
            return self._opened(None)

    def _pending_pictures(self) -> Iterator[Picture]:
        pending = PendingPackets(self.stream)
        began_s = self._waits_since_s = time.monotonic()
        with self._errors(self._options.read_timeout_s, "silent for"):
            for packet in self._packets():
                if self._waited_s() >= self._options.read_timeout_s:
                    raise TimeoutError
                if not packet.size:
                    continue
                pending.add(packet)
                if pending.failed > _MAX_BROKEN:
                    raise ValueError("no picture of it can be decoded")
                if pending.has_key:
                    yield Picture(
                        pending,
                        self._stamp_s(packet),
                        turn=self._turn,
                        tag_degrees=self._tag_degrees,
                        is_key=packet.is_keyframe,
                    )
                elif time.monotonic() - began_s > _MAX_BLIND_S:
                    raise ValueError(_BLIND)
                self._waits_since_s = time.monotonic()

    def _coded_pictures(self) -> Iterator[Picture]:
        skips = self._options.is_file and self.stream.codec_context.name == "hevc"
        losses = Losses(self.frame_s) if skips else None
        broken, waiting = 0, 0  # packets whose pictures are still to come
        decoded_at_s = self._waits_since_s = time.monotonic()
        with self._errors(self._options.read_timeout_s, "silent for"):
            for packet in self._packets():
                if self._waited_s() >= self._options.read_timeout_s:
                    raise TimeoutError  # FFmpeg hands out what its parser held back, and would wait once more
                waiting += bool(packet.size)
                try:
                    media = self._decode(packet)
                except av.error.FFmpegError:
                    broken += 1
                    if broken > _MAX_BROKEN and not self._options.is_file:
                        raise
                    # An error while the decoder is emptied ends that: what it still held is lost too.
                    lost = 1 if packet.size else max(1, waiting)
                    waiting -= lost
                    yield from self._lost(lost)
                    self._waits_since_s = time.monotonic()
                    continue
                for item in media:
                    broken = 0
                    picture = self._picture(item)
                    waiting -= 1
                    if losses is not None and (lost := losses.before(picture.stamp_s, waiting)):
                        waiting -= lost
                        yield from self._lost(lost)
                    yield picture
                self._waits_since_s = time.monotonic()
                if media:
                    decoded_at_s = self._waits_since_s
                elif self._waits_since_s - decoded_at_s > _MAX_BLIND_S and not self._options.is_file:
                    raise ValueError(_BLIND)
        if losses is not None:
            yield from self._lost(waiting)

    def _lost(self, pictures: int) -> Iterator[Picture]:
        for _ in range(pictures):
            yield Picture(None, None, damaged=True)

    def _packets(self) -> Iterator[av.Packet]:
        """The packets of the track, and an empty one at the end. In a file what cannot be read is passed over."""
        failed = 0
        while True:
            try:
                for packet in self.av.demux(self.stream):
                    failed = 0
                    self.packets += 1
                    self._packet = packet
                    yield packet
                return
            except av.error.InvalidDataError:
                failed += 1
                if failed > _MAX_FAILED or not self._options.is_file:
                    raise

    def _decode(self, packet: av.Packet) -> Sequence[av.VideoFrame | av.Packet]:
        if not self.decodes_alone:
            return packet.decode()
        if not packet.size:
            return ()
        if self._looked_at_first:
            return (packet,)
        try:
            frames = packet.decode()
        except av.error.FFmpegError:  # it says so again to whoever asks for its pixels; the next one is looked at
            return (packet,)
        self._looked_at_first = True
        return frames

    def _picture(self, media: av.VideoFrame | av.Packet) -> Picture:
        damaged = isinstance(media, av.VideoFrame) and media.is_corrupt
        return Picture(media, self._stamp_s(media), damaged=damaged, turn=self._turn, tag_degrees=self._tag_degrees)

    def _stamp_s(self, media: av.VideoFrame | av.Packet) -> float | None:
        time_base = media.time_base or self.stream.time_base
        if media.pts is None or time_base is None or self._is_bare:
            return None
        return float(media.pts * time_base)

    @contextmanager
    def _errors(self, limit_s: float, too_slow: str) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise SourceError(f"{self._name}: {self._reason(error, limit_s, too_slow)}") from error

    def _reason(self, error: Exception, limit_s: float, too_slow: str) -> str:
        if isinstance(error, TimeoutError) or self._waited_s() >= 0.95 * limit_s:  # FFmpeg has several names for it
            return f"{too_slow} {limit_s:g} s"
        if self._options.is_file:
            return explain_file(error, self._name)
        return redact_text(explain(error, self._url, was_open=self._is_open), self._url)

    @property
    def _name(self) -> str:
        """As errors call it."""
        return self._url.removeprefix("file:") if self._options.is_file else redact_url(self._url)

    def _waited_s(self) -> float:
        return time.monotonic() - self._waits_since_s


def _opener(open_file: Callable[[str], ReadableFile] | None) -> Any:
    return open_file and (lambda url, _flags, _options: open_file(url))

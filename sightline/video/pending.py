"""Pictures of which nothing is decoded before somebody asks for the newest one."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

import av
import av.error
from av.video.stream import VideoStream

from sightline.errors import SourceError
from sightline.video.filters import Deinterlacer

#: Cameras that save bits send a key frame every ten or twenty seconds. What is more than this is decoded anyway.
_MOST_BYTES: Final = 16_000_000


class PendingPackets:
    """The packets since the newest key frame. They cost memory; decoding them is for who asks, in whichever thread.

    Who asks again soon decodes only what came meanwhile, so that pictures that are all wanted cost what they always do.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._decoder = stream.codec_context
        self._lock = threading.Lock()  #: of the packets
        self._packets: list[av.Packet] = []
        self._bytes = 0
        self._has_key = False  #: before the first key frame nothing can be decoded
        self._is_gap = False  #: packets were passed over: what the decoder holds is of before them
        self._decoding = threading.Lock()
        self._frames: deque[av.VideoFrame] = deque(maxlen=2)  #: the newest two

    def add(self, packet: av.Packet) -> None:
        with self._lock:
            if packet.is_keyframe:
                self._has_key = True
                self._is_gap = self._is_gap or bool(self._packets)
                self._packets, self._bytes = [], 0
            if not self._has_key:
                return
            self._packets.append(packet)
            self._bytes += packet.size
        if self._bytes > _MOST_BYTES:
            self._decode()

    def newest(self) -> av.VideoFrame:
        """Raises `SourceError`: there is none, or it is damaged."""
        frames = self._decode()
        if not frames:
            raise SourceError("no whole picture came since the newest key frame")
        if frames[-1].is_corrupt:
            raise SourceError("a picture could not be decoded: it is damaged")
        return _deinterlaced(frames) if frames[-1].interlaced_frame else frames[-1]

    def _decode(self) -> list[av.VideoFrame]:
        with self._decoding:
            with self._lock:
                packets, self._packets, self._bytes = self._packets, [], 0
                is_gap, self._is_gap = self._is_gap, False
            if is_gap:
                self._decoder.flush_buffers()
                self._frames.clear()
            for packet in packets:
                try:
                    self._frames.extend(packet.decode())
                except av.error.FFmpegError:  # the one before is none of now, the next one may be good
                    self._frames.clear()
            return list(self._frames)


def _deinterlaced(frames: list[av.VideoFrame]) -> av.VideoFrame:
    """The last one, with the one before to tell what moves."""
    deinterlacer = Deinterlacer()
    passes = [*(deinterlacer.push(frame, None) for frame in frames), deinterlacer.flush()]
    return [whole for each in passes for whole, _ in each][-1]

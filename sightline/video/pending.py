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
        self.has_key = False  #: before the first key frame nothing can be decoded
        self.failed = 0  #: packets in a row that could not be decoded
        self._decoder = stream.codec_context
        self._lock = threading.Lock()  #: of the packets
        self._packets: list[av.Packet] = []
        self._decoded = 0  #: of these
        self._bytes = 0
        self._begins = False  #: what the decoder holds is of before these packets
        self._decoding = threading.Lock()
        self._frames: deque[av.VideoFrame] = deque(maxlen=2)  #: the newest two

    def add(self, packet: av.Packet) -> None:
        with self._lock:
            if packet.is_keyframe:
                self.has_key = True
                self._begins = self._begins or self._decoded < len(self._packets)
                self._packets, self._decoded, self._bytes = [], 0, 0
            if not self.has_key:
                return
            self._packets.append(packet)
            self._bytes += packet.size
        if self._bytes > _MOST_BYTES:
            self._decode()
            with self._lock:
                self._packets, self._decoded, self._bytes = [], 0, 0

    def newest(self) -> av.VideoFrame:
        """Raises `SourceError`: there is none, or it is damaged."""
        frames = self._decode()
        if not frames:
            raise SourceError("a picture could not be decoded")
        if frames[-1].is_corrupt:
            raise SourceError("a picture could not be decoded: it is damaged")
        return _deinterlaced(frames) if frames[-1].interlaced_frame else frames[-1]

    def _decode(self) -> list[av.VideoFrame]:
        with self._decoding:
            with self._lock:
                packets, self._decoded = self._packets[self._decoded :], len(self._packets)
                begins, self._begins = self._begins, False
            if begins:
                self._decoder.flush_buffers()
                self._frames.clear()
            for packet in packets:
                self._feed(packet)
            if packets and not self._frames and not self.failed:
                self._drain()
            return list(self._frames)

    def _feed(self, packet: av.Packet) -> None:
        try:
            self._frames.extend(packet.decode())
            self.failed = 0
        except av.error.FFmpegError:  # the one before is none of now, the next one may be good
            self._frames.clear()
            self.failed += 1

    def _drain(self) -> None:
        """The decoder waits for more, to bring pictures in order. It gives what it has, and begins anew after that."""
        self._frames.extend(self._decoder.decode(None))
        self._decoder.flush_buffers()
        with self._lock:
            self._decoded = 0


def _deinterlaced(frames: list[av.VideoFrame]) -> av.VideoFrame:
    """The last one, with the one before to tell what moves."""
    deinterlacer = Deinterlacer()
    passes = [*(deinterlacer.push(frame, None) for frame in frames), deinterlacer.flush()]
    return [whole for each in passes for whole, _ in each][-1]

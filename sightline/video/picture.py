"""One picture of a video."""

from __future__ import annotations

import av
import av.error

from sightline.errors import SourceError
from sightline.video.filters import Turn
from sightline.video.pending import PendingPackets


class Picture:
    """A decoded picture, or the packet of one that decodes alone, or packets that are still to be decoded; or the place
    of one that is lost.

    Its pixels cost nothing until they are asked for.
    """

    __slots__ = ("_is_key", "_media", "_tag_degrees", "_turn", "damaged", "stamp_s")

    def __init__(
        self,
        media: av.VideoFrame | av.Packet | PendingPackets | None,
        stamp_s: float | None,
        *,
        damaged: bool = False,
        turn: Turn | None = None,
        tag_degrees: int = 0,
        is_key: bool = False,
    ) -> None:
        self.stamp_s = stamp_s  #: seconds, as the stream says; None: it says nothing
        self.damaged = damaged  #: the decoder says so: parts of it are guessed, or all of it is lost
        self._media = media
        self._is_key = is_key
        self._turn = turn
        self._tag_degrees = tag_degrees

    def frame(self) -> av.VideoFrame:
        """The picture as it was coded, decoded now if it was not yet.

        Raises:
            SourceError: it cannot be decoded, or not as a whole.
        """
        if isinstance(self._media, av.Packet):
            self._media = _decode_alone(self._media)
        elif isinstance(self._media, PendingPackets):
            self._media = self._media.newest()
        if self._media is None:
            raise SourceError("a picture could not be decoded")
        return self._media

    @property
    def is_interlaced(self) -> bool:
        """Of one that is not decoded yet it is not known, and False."""
        return isinstance(self._media, av.VideoFrame) and self._media.interlaced_frame

    @property
    def is_key(self) -> bool:
        """Whether it can be decoded without the ones before."""
        if isinstance(self._media, av.VideoFrame):
            return bool(self._media.key_frame)
        return self._is_key or isinstance(self._media, av.Packet)

    @property
    def is_lost(self) -> bool:
        """Whether nothing of it is left to look at."""
        return self._media is None

    def deinterlaced(self, frame: av.VideoFrame) -> Picture:
        """The same with both its half pictures put together."""
        self._media = frame
        return self

    def upright(self) -> av.VideoFrame:
        """The same, turned as the file says. Raises `SourceError`."""
        frame = self.frame()
        degrees = frame.rotation or self._tag_degrees
        return self._turn.apply(frame, degrees) if degrees and self._turn else frame


def _decode_alone(packet: av.Packet) -> av.VideoFrame:
    try:
        frames = packet.decode()
    except av.error.FFmpegError as error:
        raise SourceError(f"a picture could not be decoded: {error.strerror}") from error
    if not frames or frames[0].is_corrupt:
        raise SourceError("a picture could not be decoded: it is damaged")
    return frames[0]

"""Which track of a container is the video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from sightline.errors import SourceError

#: Pictures beside the video: covers, thumbnails, layers of another track.
_NO_VIDEO: Final = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.dependent


def best_track(container: InputContainer) -> VideoStream:
    """The video track that players would show: the default one, among several of these the largest.

    Raises:
        SourceError: there is none, or none that can be decoded; the text says which.
    """
    tracks = video_tracks(container)
    readable = [track for track in tracks if _has_decoder(track)]
    if readable:
        return max(readable, key=lambda track: (bool(track.disposition & Disposition.default), _area(track)))
    if tracks:
        raise SourceError("there is a video track in it, but no decoder here for its codec; convert it to H.264")
    if container.streams.audio:
        raise SourceError("there is no picture in it: only sound")
    raise SourceError("there is no picture in it")


def video_tracks(container: InputContainer) -> list[VideoStream]:
    return [track for track in container.streams.video if not track.disposition & _NO_VIDEO]


def tell_tracks(tracks: Sequence[VideoStream], chosen: VideoStream) -> str | None:
    """Which of several tracks is read, in words; None if there is one."""
    if len(tracks) < 2:
        return None
    number = 1 + tracks.index(chosen)
    return f"{len(tracks)} video tracks; number {number} is read, {chosen.width} x {chosen.height} pixels"


def turned_by_tag(track: VideoStream) -> int:
    """Degrees counterclockwise, as the tag `rotate` of older files says it, clockwise."""
    for name, value in track.metadata.items():
        if name.lower() == "rotate":
            try:
                return -round(float(value)) % 360
            except ValueError:
                return 0
    return 0


def _area(track: VideoStream) -> int:
    return track.width * track.height


def _has_decoder(track: VideoStream) -> bool:
    # PyAV has no context where FFmpeg has no decoder, against its types.
    return getattr(track, "codec_context", None) is not None

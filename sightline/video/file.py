"""A video file: its pictures with their positions and times, and what of it could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import av

from sightline.errors import SourceError
from sightline.video.clock import PositionClock, clock_time
from sightline.video.container import Container, ReadOptions
from sightline.video.hardware import OFF
from sightline.video.picture import Picture
from sightline.video.track import tell_tracks, video_tracks

#: What may be in a file that is taken for a video. FFmpeg would draw a text file as a terminal does, play lists of
#: other files, and take pictures for films.
_FORMATS: Final = (
    "asf,av1,avi,dhav,dv,flv,gxf,h261,h263,h264,hevc,ivf,m4v,matroska,mjpeg,mov,mpeg,mpegts,mpegvideo,mpjpeg,mxf,nut,"
    "obu,ogg,rm,vc1,vvc,wtv,yuv4mpegpipe"
)
#: A video whose end is nearer to where it says than this is whole: what containers say is rounded.
_TOLERANCE_S: Final = 1.0
#: Tags that say when a recording began; the first knows its time zone.
_TIME_TAGS: Final = ("com.apple.quicktime.creationdate", "creation_time")


class PlacedPicture(NamedTuple):
    at_s: float  #: seconds from the start of the video, by a clock of our own
    picture: Picture


class VideoFile:
    """An open video file, read once."""

    def __init__(
        self,
        path: Path,
        *,
        frame_threads: bool = True,
        open_timeout_s: float = 60.0,
        read_timeout_s: float = 60.0,
        hardware: str = OFF,
    ) -> None:
        """Raises `SourceError`: it cannot be opened, or there is no video in it."""
        self.path = path
        self.container = Container(
            f"file:{path}",  # a name with a colon is no URL
            ReadOptions(
                {"protocol_whitelist": "file,crypto", "format_whitelist": _FORMATS},
                open_timeout_s=open_timeout_s,
                read_timeout_s=read_timeout_s,
                frame_threads=frame_threads,
                is_file=True,
                hardware=hardware,
            ),
        )
        self._clock = PositionClock(self.container.frame_s, self.container.start_s)
        self.tracks = tell_tracks(video_tracks(self.container.av), self.container.stream)
        self.recorded_at = _recorded_at(self.container)
        self.ended_early: str | None = None  #: where it broke off and why, once it was read

    def pictures(self) -> Iterator[PlacedPicture]:
        """The pictures in order, those that are damaged or lost among them. Never raises because of one of them.

        Raises:
            SourceError: there is no picture in it that could be decoded, or it cannot be read on.
        """
        good, lost = False, 0
        for picture in self.container.pictures():
            if picture.is_lost:
                lost += 1
                yield PlacedPicture(self._clock.next_s, picture)
            else:
                good, lost = good or not picture.damaged, 0
                yield PlacedPicture(self._clock.at_s(picture.stamp_s), picture)
        if not good:
            raise SourceError(f"{self.path}: no picture in it could be decoded")
        self.ended_early = self._ended_early(self.end_s + lost * self.container.frame_s)

    @property
    def duration_s(self) -> float | None:
        """How long it is, as it says itself."""
        return _said_s(self.container)

    @property
    def end_s(self) -> float:
        """Where the next picture would be."""
        return self._clock.next_s

    def close(self) -> None:
        self.container.close()

    def _ended_early(self, end_s: float) -> str | None:
        """Cut-off files end as whole ones do; only their headers know better."""
        said_s = self.duration_s
        frames = self.container.stream.frames
        tolerance_s = 0.25 if 0 < self.container.packets < frames else _TOLERANCE_S
        if said_s is None or self._clock.has_jumped or end_s >= said_s - tolerance_s:
            return None
        return f"ends at {clock_time(end_s)} of {clock_time(said_s)}: the file is cut off or damaged there"


def _said_s(container: Container) -> float | None:
    """How long the video is, as the container says. Its sound may be a little longer."""
    stream = container.stream
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        pass
    if container.av.duration is None:
        return None
    return container.av.duration / av.time_base * (0.9 if container.av.streams.audio else 1)


def _recorded_at(container: Container) -> datetime | None:
    """When the recording began, as the file says itself; None if it does not, or cannot be right."""
    for tags in (container.av.metadata, container.stream.metadata):
        for name in _TIME_TAGS:
            try:
                said = datetime.fromisoformat(tags.get(name, ""))
            except ValueError:
                continue
            said = said if said.tzinfo else said.replace(tzinfo=UTC)
            # Clocks that were never set say 1904 or 1970.
            if said.year >= 1990 and said < datetime.now(UTC) + timedelta(days=1):
                return said
    return None

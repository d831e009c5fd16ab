"""What of a video did not become a frame. Known without PyAV: whoever reads a report need not read videos."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sightline.video.clock import clock_time

_MOST_NAMED: Final = 3
_MOST_KEPT: Final = 100


@dataclass
class VideoReport:
    """Filled while a video is read."""

    frames: int = 0  #: that were taken
    unreadable: int = 0  #: pictures that were damaged or lost, taken or not
    unreadable_at_s: list[float] = field(default_factory=list)  #: the first of their positions
    until_s: float = 0.0  #: the position of the last of them
    ended_early: str | None = None  #: where the file broke off, and why
    tracks: str | None = None  #: which of several tracks was read

    def note_unreadable(self, at_s: float) -> None:
        self.unreadable += 1
        self.until_s = at_s
        if len(self.unreadable_at_s) < _MOST_KEPT:
            self.unreadable_at_s.append(round(at_s, 3))

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing to tell but its frames."""
        return not self.unreadable and self.ended_early is None and self.tracks is None

    def as_json(self) -> dict[str, object]:
        return {
            "frames": self.frames,
            "unreadable": self.unreadable,
            "unreadable_at_s": self.unreadable_at_s,
            "ended_early": self.ended_early,
            "tracks": self.tracks,
        }

    def __str__(self) -> str:
        """For people: `112 frames, 1 unreadable at 0:23.4`."""
        parts = [f"{self.frames} frame{'s' * (self.frames != 1)}"]
        if self.unreadable > _MOST_NAMED:
            first, last = clock_time(self.unreadable_at_s[0]), clock_time(self.until_s)
            parts.append(f"{self.unreadable} unreadable from {first} to {last}")
        elif self.unreadable:
            parts.append(f"{self.unreadable} unreadable at {' and '.join(map(clock_time, self.unreadable_at_s))}")
        return "; ".join([", ".join(parts), *filter(None, (self.ended_early, self.tracks))])

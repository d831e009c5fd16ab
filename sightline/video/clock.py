"""Where a picture is in its video. Time stamps are foreign data: they start anywhere, repeat, jump and are missing."""

from __future__ import annotations

from typing import Final

#: A longer way between two pictures is a jump of the stamps, not time that passed.
MAX_GAP_S: Final = 10.0


class PositionClock:
    """Seconds from the start of a video, by the stamps of its pictures as far as they make sense.

    Each picture is later than the one before. Where a stamp is missing, goes back or jumps, the picture follows at the
    rate of the video, and the clock goes on from there: joined files keep going, and a jump never makes hours.
    """

    def __init__(self, frame_s: float, start_s: float | None = None) -> None:
        """`frame_s`: seconds between two pictures, as the file says. `start_s`: the stamp its first picture has."""
        self._frame_s = frame_s
        self._max_gap_s = max(MAX_GAP_S, 3 * frame_s)  # of a time lapse every step is long
        self._stamp_s = start_s
        self._offset_s = 0.0 if start_s is None else -start_s
        self._at_s: float | None = None
        self.has_jumped = False  #: the stamps did, and are no measure of the whole any more

    @property
    def next_s(self) -> float:
        """Where the next picture is expected."""
        return 0.0 if self._at_s is None else self._at_s + self._frame_s

    def at_s(self, stamp_s: float | None) -> float:
        """The position of the picture with this stamp; of one that has none it is None."""
        if stamp_s is None:
            at_s = self.next_s
            self._stamp_s = None if self._stamp_s is None else self._stamp_s + at_s - (self._at_s or 0.0)
        else:
            if not self._follows(stamp_s):
                self.has_jumped = self.has_jumped or self._at_s is not None
                self._offset_s = self.next_s - stamp_s
            at_s = stamp_s + self._offset_s
            self._stamp_s = stamp_s
        self._at_s = at_s
        return at_s

    def _follows(self, stamp_s: float) -> bool:
        if self._stamp_s is None:
            return False
        step_s = stamp_s - self._stamp_s
        return step_s <= self._max_gap_s and (step_s >= 0 if self._at_s is None else step_s > 0)


def clock_time(seconds: float) -> str:
    """A position for people: 0:23.4, or 1:02:03.4."""
    minutes, rest = divmod(round(seconds * 10), 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest / 10:04.1f}" if hours else f"{minutes}:{rest / 10:04.1f}"

"""Pictures that a decoder leaves out without a word."""

from __future__ import annotations


class Losses:
    """After a broken picture the decoder of HEVC skips all that build on it, to the next key frame, and says nothing.

    One packet is one picture there. So a gap of the time stamps that goes with packets which gave no picture is a loss.
    """

    def __init__(self, frame_s: float) -> None:
        self._frame_s = frame_s
        self._delay: int | None = None  #: pictures the decoder holds at least, to bring them in order
        self._stamp_s: float | None = None

    def before(self, stamp_s: float | None, waiting: int) -> int:
        """How many were lost before the picture with this stamp, while so many packets wait for their pictures."""
        previous_s, self._stamp_s = self._stamp_s, stamp_s
        self._delay = waiting if self._delay is None else min(self._delay, waiting)
        if previous_s is None or stamp_s is None:
            return 0
        missing = round((stamp_s - previous_s) / self._frame_s) - 1
        return max(0, min(missing, waiting - self._delay))

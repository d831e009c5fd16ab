"""What one camera counted since the process started. Written by several threads, read each second."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from datetime import UTC, datetime

from sightline.camera_status import CameraState, CameraStatus, Condition

_FPS_WINDOW_S = 5.0


class CameraCounters:
    """Belongs to a camera_id, not to a connection or a thread: reconnects and changes of the row go on counting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: CameraState = "starting"
        self.condition: Condition | None = None  #: set by the reader
        self._frames_read = 0
        self._unreadable = 0
        self._sampled = 0
        self._thinned = 0
        self._gated = 0
        self._published = 0
        self._from_sub = 0
        self._dropped: Counter[str] = Counter()
        self._last_frame_at: datetime | None = None
        self._last_error: str | None = None
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])  #: (when, frames read by then)

    def set_state(self, state: CameraState) -> None:
        with self._lock:
            self._state = state

    def count_read(self) -> None:
        with self._lock:
            self._state = "running"
            self._frames_read += 1
            self._last_frame_at = datetime.now(UTC)

    def count_unreadable(self) -> None:
        with self._lock:
            self._unreadable += 1

    def count_sampled(self) -> None:
        with self._lock:
            self._sampled += 1

    def count_thinned(self) -> None:
        with self._lock:
            self._thinned += 1

    def count_gated(self) -> None:
        with self._lock:
            self._gated += 1

    def count_published(self, frames: int = 1) -> None:
        with self._lock:
            self._published += frames

    def count_from_sub(self) -> None:
        with self._lock:
            self._from_sub += 1

    def count_dropped(self, reason: str, frames: int = 1) -> None:
        with self._lock:
            self._dropped[reason] += frames

    @property
    def refused(self) -> int:
        """Frames that admission refused so far."""
        return self._dropped["backlog"]

    def note_error(self, redacted: str, state: CameraState | None = None) -> None:
        with self._lock:
            self._last_error = redacted
            self._state = state or self._state

    def status(self) -> CameraStatus:
        """All numbers of one moment. Called about once a second: the calls are the marks `fps` is measured between."""
        with self._lock:
            return CameraStatus(
                state=self._state,
                condition=self.condition if self._state == "running" else None,
                frames_read=self._frames_read,
                unreadable=self._unreadable,
                sampled=self._sampled,
                thinned=self._thinned,
                gated=self._gated,
                dropped=dict(self._dropped),
                published=self._published,
                from_sub=self._from_sub,
                saved_percent=round(100 * (self._thinned + self._gated) / max(1, self._sampled), 1),
                fps=self._measure_fps(),
                last_frame_at=self._last_frame_at,
                last_error=self._last_error,
            )

    def _measure_fps(self) -> float:
        now = time.monotonic()
        self._marks.append((now, self._frames_read))
        while len(self._marks) > 2 and now - self._marks[1][0] >= _FPS_WINDOW_S:
            self._marks.popleft()
        since, frames = self._marks[0]
        return round((self._frames_read - frames) / max(now - since, 1e-3), 2)

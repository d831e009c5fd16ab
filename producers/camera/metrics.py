"""How the cameras of this process do, for Prometheus: all of them together, because they may be many."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import get_args

from prometheus_client.core import Metric

from sightline.camera_status import CameraState, CameraStatus
from sightline.metrics.families import counters, gauge, gauges


class CameraMetrics:
    """Adds up what each camera counts. A camera that goes takes nothing away: sums only grow."""

    def __init__(self, statuses: Callable[[], Mapping[str, CameraStatus]]) -> None:
        self._statuses = statuses
        self._turn = threading.Lock()
        self._seen: dict[str, Counter[tuple[str, str]]] = {}
        self._sums = Counter[tuple[str, str]]()

    def collect(self) -> Iterator[Metric]:
        statuses = self._statuses()
        with self._turn:
            now = {camera_id: _fates(status) for camera_id, status in statuses.items()}
            for camera_id, counts in now.items():
                before = self._seen.get(camera_id, Counter())
                if any(counts[name] < n for name, n in before.items()):
                    before = Counter[tuple[str, str]]()  # it was away, is back, and counts from the beginning
                self._sums.update({name: n - before[name] for name, n in counts.items()})
            self._seen = now
            sums = dict(self._sums)
        meaning = "Frames of cameras: read, of these sampled, of these what became of them."
        yield counters("sightline_camera_frames", meaning, ("fate", "reason"), sums)
        states = Counter({(state,): 0 for state in get_args(CameraState)})
        states.update((status.state,) for status in statuses.values())
        yield gauges("sightline_camera_readers", "Cameras that this process reads, by state.", ("state",), states)
        fps = sum(status.fps for status in statuses.values())
        yield gauge("sightline_camera_read_frames_per_second", "Read over the last seconds.", fps)


def _fates(status: CameraStatus) -> Counter[tuple[str, str]]:
    fates = ("unreadable", "sampled", "thinned", "gated", "published")
    counts = Counter({(fate, ""): int(getattr(status, fate)) for fate in fates})
    counts["read", ""] = status.frames_read
    counts.update({("dropped", reason): n for reason, n in status.dropped.items()})
    return counts

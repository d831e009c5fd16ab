"""Where a reader puts its frames. This is the slot of a live camera: it holds one frame, and the newest wins."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from producers.camera.counters import CameraCounters
from sightline.types import FrameRef, Pipeline
from sightline.wire.messages import Job


class EncodedFrame(NamedTuple):
    ref: FrameRef
    jpeg: bytes


class Outlet(Protocol):
    """What a reader needs of the other side."""

    def begin(self) -> None:
        """The source was opened: what comes is its start."""
        ...

    def put(self, frame: EncodedFrame) -> None: ...

    def finish(self) -> None:
        """The source ended by itself: nothing more comes."""
        ...

    def close(self) -> None:
        """The reader is not wanted any more; frames that come now are not published."""
        ...


class Publishes(Protocol):
    """The part of `sightline.delivery.publisher.Publisher` that is used here."""

    def publish(self, job: Job, pixels: Mapping[str, bytes]) -> tuple[FrameRef, ...]: ...


class LiveSlot:
    """Never blocks: while nobody takes, frames are overwritten and counted."""

    def __init__(self, pipeline: Pipeline, counters: CameraCounters, wake: threading.Event) -> None:
        self.pipeline = pipeline
        self.counters = counters
        self._wake = wake
        self._lock = threading.Lock()
        self._frame: EncodedFrame | None = None
        self._closed = False

    def begin(self) -> None:
        """A frame from before a reconnect is still the newest."""

    def put(self, frame: EncodedFrame) -> None:
        with self._lock:
            if self._closed:
                self.counters.count_dropped("stopped")
                return
            if self._frame is not None:
                self.counters.count_dropped("overwritten")
            self._frame = frame
        self._wake.set()

    def take(self) -> EncodedFrame | None:
        """The newest frame, once."""
        with self._lock:
            frame, self._frame = self._frame, None
            return frame

    def finish(self) -> None:
        """The last frame stays until it is taken."""

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._frame is not None:
                self.counters.count_dropped("stopped")
                self._frame = None

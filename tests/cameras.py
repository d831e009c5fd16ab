"""Clips, rows and a publisher for the tests of the camera process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

from sightline.types import FrameRef
from sightline.wire.messages import Job
from storage.cameras import Camera


def picture(index: int = 0, *, width: int = 320, height: int = 240) -> npt.NDArray[np.uint8]:
    """A gray scene with a white box that moves with `index`."""
    image = np.full((height, width, 3), 90, np.uint8)
    left = 10 + index * 8 % (width - 80)
    cv2.rectangle(image, (left, height // 3), (left + 60, height // 3 + 40), (255, 255, 255), -1)
    return image


def write_clip(
    path: Path,
    *,
    seconds: float = 2,
    fps: int = 10,
    moving: bool = True,
    codec: str = "libx264",
    metadata: Mapping[str, str] = {},
) -> Path:
    """A small video file."""
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata)
        stream: Any = container.add_stream(codec, rate=fps, options={"preset": "ultrafast"} if "264" in codec else {})
        stream.width, stream.height = 320, 240
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.time_base = Fraction(1, fps)
        for index in range(round(seconds * fps)):
            frame = av.VideoFrame.from_ndarray(picture(index if moving else 0), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def camera(camera_id: str = "gate", url: object = "rtsp://127.0.0.1:9/none", **changes: Any) -> Camera:
    return Camera(camera_id=camera_id, url=str(url), **({"fps": 10.0, "motion": False} | changes))  # pyright: ignore[reportArgumentType]


class FakePublisher:
    """Keeps what was published. Raises `trouble` instead, each once; sources in `refuse` are over their limit."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.pixels: dict[str, bytes] = {}
        self.attempts: list[Job] = []
        self.trouble: list[Exception] = []
        self.refuse: set[str] = set()
        self._lock = threading.Lock()

    def publish(self, job: Job, pixels: Mapping[str, bytes]) -> tuple[FrameRef, ...]:
        with self._lock:
            self.attempts.append(job)
            if self.trouble:
                raise self.trouble.pop(0)
            self.jobs.append(job)
            self.pixels |= pixels
            return tuple(frame for frame in job.frames if frame.source_id in self.refuse)

    @property
    def frames(self) -> list[FrameRef]:
        return [frame for job in list(self.jobs) for frame in job.frames]


def wait_until(condition: Callable[[], object], timeout_s: float = 10) -> None:
    """Poll until it holds."""
    ends_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends_at, "did not come true in time"
        time.sleep(0.02)

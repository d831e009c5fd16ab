"""What is published: bundles of drawn plates from many sources, and now and then a picture over HTTP."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import httpx

from benchmarks.chaos.load import text_of
from benchmarks.throughput.pictures import draw_pictures
from sightline.delivery.publisher import Publisher
from sightline.errors import BacklogFullError
from sightline.ids import new_id
from sightline.submission.sequences import LIVE
from sightline.testing import make_picture
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job

BUNDLE = 16
_SOURCES = 50
#: So many that a text does not come back before its passage is final.
_STUB_PICTURES = 4096
_REAL_PICTURES = 64
_MAX_OPEN = 640


def pictures_for(*, is_real: bool) -> list[bytes]:
    """JPEG files of 720p and 1080p for real models, else what stubs read."""
    if is_real:
        return draw_pictures(_REAL_PICTURES)
    return [make_picture(text_of(1, 4 * number)) for number in range(_STUB_PICTURES)]


class Load:
    """Publishes in the caller's thread."""

    def __init__(self, publisher: Publisher, pictures: Sequence[bytes]) -> None:
        self._publisher = publisher
        self._pictures = pictures
        self._numbers = itertools.count()
        self.refused = 0

    def publish(self) -> None:
        """One bundle, of frames from one source."""
        first = next(self._numbers)
        source_id = f"lane{first % _SOURCES}"
        now = datetime.now(UTC)
        frames = tuple(
            FrameRef(frame_id=new_id(), source_id=source_id, captured_at=now, seq=n, sequence=LIVE)
            for n in range(BUNDLE)
        )
        # Four frames of each vehicle.
        pictures = [self._pictures[(first * BUNDLE + n) // 4 % len(self._pictures)] for n in range(BUNDLE)]
        job = Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=frames)
        try:
            self._publisher.publish(job, {frame.frame_id: data for frame, data in zip(frames, pictures, strict=True)})
        except BacklogFullError:
            self.refused += BUNDLE

    def measure_capacity(self, warm_up_s: float, seconds: float) -> float:
        """Frames finished a second while there is always something to do."""
        self._saturate(warm_up_s)
        before, began_at = self.stored(), time.monotonic()
        self._saturate(seconds)
        return (self.stored() - before) / (time.monotonic() - began_at)

    def keep_up(self, frames_per_s: float, seconds: float, between: Callable[[], None]) -> None:
        """Publish at a pace. `between` is called every quarter of a second or so."""
        began_at = time.monotonic()
        for place in itertools.count():
            due_at = began_at + place * BUNDLE / frames_per_s
            while (left_s := due_at - time.monotonic()) > 0:
                time.sleep(min(left_s, 0.25))
                between()
            if time.monotonic() - began_at >= seconds:
                return
            between()
            self.publish()

    def stored(self) -> int:
        return sum(counts.get("stored", 0) for counts in self._publisher.ledger.counts().values())

    def _saturate(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if sum(self._publisher.ledger.open_frames().values()) < _MAX_OPEN:
                self.publish()
            else:
                time.sleep(0.005)


class Visitors:
    """People at the API: each second somebody uploads a picture and waits for it, and somebody looks at the page."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="visitors", daemon=True)
        self.failed = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(60)
        self._api.close()

    def _run(self) -> None:
        for number in itertools.count():
            if self._stop.wait(1.0):
                return
            try:
                files = {"files": (f"{number}.png", make_picture(text_of(2, 4 * number)), "image/png")}
                job = self._api.post("/v1/jobs", files=files).raise_for_status().json()
                self._api.get(f"/v1/jobs/{job['job_id']}", params={"wait": 10}).raise_for_status()
                for path in ("/", "/v1/passages", "/v1/cameras", "/readyz"):
                    self._api.get(path).raise_for_status()
            except httpx.HTTPError:
                self.failed += 1

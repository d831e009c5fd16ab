"""Cameras with two streams: the sub stream is watched, pictures of the main stream are sent."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np
import pytest

from producers.camera.capture import main_stream as main_stream_module
from producers.camera.capture.reader import Reader
from producers.camera.counters import CameraCounters
from producers.camera.publish.slots import EncodedFrame
from producers.camera.sources.sampling import Backoff
from producers.camera.sources.source import SourceOptions, StreamFacts
from sightline.errors import SourceError
from tests.cameras import camera, picture, wait_until

MAIN, SUB = "rtsp://admin:s3cret@cam/main", "rtsp://admin:s3cret@cam/sub"


@dataclass
class Seen:
    """A grab."""

    image: Any
    at_s: float = 0.0
    damaged: bool = False
    broken: bool = False
    captured_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def gray(self, width: int) -> Any:
        return cv2.cvtColor(cv2.resize(self.image, (width, 120)), cv2.COLOR_BGR2GRAY)

    def bgr(self) -> Any:
        if self.broken:
            raise SourceError("a picture could not be decoded: it is damaged")
        return self.image


class TwoStreams:
    """A camera. What `main` and `sub` are given is sent; an exception breaks the stream."""

    edition, name = "1", ""
    shortfall: str | None = None
    facts: StreamFacts | None = None
    stop: threading.Event

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.streams: dict[str, list[Seen | Exception]] = {MAIN: [], SUB: []}
        self.options: dict[str, SourceOptions] = {}
        self._sent = threading.Condition()

    def __call__(self, url: str, options: SourceOptions, stop: threading.Event) -> "TwoStreams":
        self.options[url] = options
        stream = TwoStreams(url)
        stream.streams, stream._sent, stream.stop = self.streams, self._sent, stop
        return stream

    def main(self, *grabs: Seen | Exception) -> None:
        self._send(MAIN, grabs)

    def sub(self, *grabs: Seen | Exception) -> None:
        self._send(SUB, grabs)

    def grabs(self) -> Iterator[Any]:
        while not self.stop.is_set():
            with self._sent:
                waiting = self.streams[self.url]
                grab = waiting[0] if waiting else None
                if isinstance(grab, Exception):
                    waiting.pop(0)
                    raise grab
                if grab is None:
                    self._sent.wait(0.05)
                    continue
            yield grab
            with self._sent:  # the reader is done with it
                waiting.pop(0)
                self._sent.notify_all()

    def close(self) -> None: ...

    def _send(self, url: str, grabs: tuple[Seen | Exception, ...]) -> None:
        with self._sent:
            self.streams[url].extend(grabs)
            self._sent.notify_all()
            assert self._sent.wait_for(lambda: not self.streams[url], 5)


class Kept:
    def __init__(self) -> None:
        self.frames: list[EncodedFrame] = []

    def begin(self) -> None: ...
    def finish(self) -> None: ...
    def close(self) -> None: ...
    def put(self, frame: EncodedFrame) -> None:
        self.frames.append(frame)

    @property
    def sizes(self) -> list[int]:
        """Their widths."""
        images = [cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR) for frame in self.frames]
        return [image.shape[1] for image in images if image is not None]


Start = Callable[..., tuple[TwoStreams, Kept, CameraCounters]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr(main_stream_module, "Backoff", lambda: Backoff(0.02, 0.05))
    readers: list[Reader] = []

    def _start(**changes: Any) -> tuple[TwoStreams, Kept, CameraCounters]:
        streams, kept, counters = TwoStreams(), Kept(), CameraCounters()
        row = camera(url=MAIN, sub_url=SUB, **changes)
        reader = Reader(row, kept, counters, SourceOptions(), jpeg_quality=90, deadline_s=5, open_source=streams)
        readers.append(reader)
        reader.start()
        return streams, kept, counters

    yield _start
    for reader in readers:
        reader.stop()
    assert all(reader.join(2) for reader in readers)


def large(index: int = 0, **how: Any) -> Seen:
    return Seen(picture(index, width=640, height=480), **how)


def small(at_s: float, index: int = 0) -> Seen:
    return Seen(picture(index), at_s)


def test_what_moves_on_the_sub_stream_is_sent_from_the_main_stream(start: Start) -> None:
    streams, kept, counters = start(motion=True)
    for step in range(40):  # four seconds; the box moves in the last
        streams.main(large(step))
        streams.sub(small(step / 10, max(0, step - 30)))
    status = counters.status()
    assert set(kept.sizes) == {640}
    assert len(kept.frames) + status.gated == status.sampled == 40
    assert 12 <= status.gated <= 28
    assert (status.from_sub, status.condition, status.dropped) == (0, None, {})
    shown = cv2.imdecode(np.frombuffer(kept.frames[-1].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(shown.astype(int) - picture(39, width=640, height=480)).mean() < 3  # type: ignore[union-attr]
    assert [streams.options[url].on_demand for url in (MAIN, SUB)] == [True, False]


def test_its_time_is_that_of_the_picture_that_is_sent(start: Start) -> None:
    streams, kept, _ = start()
    seen = large()
    streams.main(seen)
    streams.sub(small(0))
    assert kept.frames[0].ref.captured_at == seen.captured_at


def test_both_are_turned_and_masked(start: Start) -> None:
    left = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    streams, kept, _ = start(rotation=90, mask=(left,))
    streams.main(large())
    streams.sub(small(0))
    image = cv2.imdecode(np.frombuffer(kept.frames[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (640, 480, 3)
    assert image[:, 250:].max() < 10


@pytest.mark.parametrize("main", [[], [large(damaged=True)], [large(broken=True)]])
def test_without_a_whole_picture_of_the_main_stream_that_of_the_sub_stream_is_sent(
    start: Start, main: list[Seen]
) -> None:
    streams, kept, counters = start()
    streams.main(*main)
    streams.sub(small(0))
    assert kept.sizes == [320]
    assert counters.status().from_sub == 1


def test_a_picture_of_long_ago_is_none_of_now(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main_stream_module, "_FRESH_S", 0.0)
    streams, kept, _ = start()
    streams.main(large())
    time.sleep(0.4)  # more than one and a half of what five a second take
    streams.sub(small(0))
    assert kept.sizes == [320]


def test_no_picture_is_sent_twice(start: Start) -> None:
    streams, kept, counters = start()
    streams.main(large())
    streams.sub(small(0), small(0.1), small(0.2))
    streams.main(large(1))
    streams.sub(small(0.3))
    assert kept.sizes == [640, 640]
    assert counters.status().dropped == {"repeated": 2}


def test_that_the_main_stream_is_away_is_told_and_that_it_came_back(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(main_stream_module, "_AWAY_S", 0.2)
    monkeypatch.setattr(main_stream_module, "_FRESH_S", 0.1)
    streams, kept, counters = start()
    streams.main(large(), SourceError(f"{MAIN}: the connection broke"))
    wait_until(lambda: "main stream" in (counters.status().last_error or ""))
    time.sleep(0.3)
    streams.sub(small(10.0), small(11.0))
    assert counters.status().condition == "sub_only"
    assert counters.status().state == "running"
    streams.main(large(1))
    streams.sub(small(12.0))
    assert counters.status().condition is None
    assert kept.sizes == [320, 320, 640]
    assert "rtsp://***@cam/main: the connection broke" in caplog.text
    assert "s3cret" not in caplog.text + str(counters.status())


def test_a_sub_stream_that_breaks_is_opened_again(start: Start) -> None:
    streams, _, counters = start()
    streams.sub(small(0), SourceError(f"{SUB}: silent for 10 s"))
    wait_until(lambda: counters.status().state == "reconnecting")
    streams.sub(small(1))
    wait_until(lambda: counters.status().frames_read == 2)

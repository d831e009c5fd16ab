"""A camera with two streams, both by RTSP: the small one is watched, pictures of the large one are sent."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from producers.camera.capture import main_stream
from producers.camera.capture.reader import Reader
from producers.camera.counters import CameraCounters
from producers.camera.publish.slots import LiveSlot
from producers.camera.sources.source import SourceOptions
from sightline.images.header import ImageLimits, check_image
from tests.acceptance.parts.rtsp import PASSWORD, ServeRtsp, rtsp_url
from tests.cameras import camera, wait_until
from tests.conftest import free_port
from tests.videos import make_video


def test_the_large_stream_is_sent_and_the_small_one_while_it_is_away(
    serve_rtsp: ServeRtsp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main_stream, "_AWAY_S", 3.0)
    ports = free_port(), free_port()
    clips = [
        make_video(tmp_path / f"{width}.mp4", frames=600, size=(width, width * 3 // 4), options={"g": "10"})
        for width in (1280, 320)
    ]
    main_server, _ = (serve_rtsp(clip, port) for clip, port in zip(clips, ports, strict=True))
    row = camera(url=rtsp_url(ports[0]), sub_url=rtsp_url(ports[1]), fps=5.0, motion=True)
    counters = CameraCounters()
    slot = LiveSlot(row.pipeline, counters, threading.Event())
    options = SourceOptions(open_timeout_s=5, read_timeout_s=2)
    reader = Reader(row, slot, counters, options, jpeg_quality=90, deadline_s=5)
    reader.start()
    try:
        wait_until(lambda: _width(slot) == 1280, 20)
        main_server.kill()
        wait_until(lambda: counters.status().condition == "sub_only", 20)
        wait_until(lambda: _width(slot) == 320, 5)
        status = counters.status()
        assert status.state == "running"
        assert status.from_sub > 0
        assert "main stream: " in (status.last_error or "")
        assert PASSWORD not in (status.last_error or "")
        serve_rtsp(clips[0], ports[0])
        wait_until(lambda: counters.status().condition is None, 20)
        wait_until(lambda: _width(slot) == 1280, 5)
    finally:
        reader.stop()
        assert reader.join(10)


def _width(slot: LiveSlot) -> int | None:
    """Of the newest picture that is sent."""
    frame = slot.take()
    return frame and check_image(frame.jpeg, max_mb=ImageLimits(20, 100).max_mb, max_mpx=100).width

"""The cameras of the benchmark send what a camera process reads as it would a real one."""

import argparse
import io
import time
from datetime import UTC, datetime

import av
import pytest

from benchmarks import cameras
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job

OPTIONS = argparse.Namespace(codec="h264", width=320, height=240, still=False, fps=1.0)


def test_a_stream_goes_on_after_its_last_picture_with_stamps_of_its_own() -> None:
    kind, first, parts = cameras.as_flv(cameras.draw_pictures(OPTIONS), OPTIONS)
    sent = [cameras.stamped(parts[number % len(parts)], number * 1000, OPTIONS) for number in range(50)]
    assert kind == b"video/x-flv"
    with av.open(io.BytesIO(first + b"".join(sent)), "r", format="flv") as container:
        frames = list(container.decode(video=0))
    assert [frame.time for frame in frames] == pytest.approx(list(range(50)))
    assert [number for number, frame in enumerate(frames) if frame.key_frame] == list(range(0, 50, 5))


def test_how_late_is_counted_from_when_each_camera_was_due() -> None:
    timed = cameras.Timed(4, 1.0)
    second = int(time.time()) - 1
    refs = tuple(
        FrameRef(frame_id=f"picture-{number}", source_id=str(number), captured_at=datetime.fromtimestamp(at_s, UTC))
        for number, at_s in enumerate((second + 0.01, second + 0.27))  # due at 0 and 0.25
    )
    timed.publish(Job(job_id="job-00001", pipeline=Pipeline.PLATES, lane=Lane.LIVE, frames=refs), {})
    assert timed.taken_s == pytest.approx([0.01, 0.02], abs=1e-3)
    assert all(published_s >= taken_s for published_s, taken_s in zip(timed.published_s, timed.taken_s, strict=True))

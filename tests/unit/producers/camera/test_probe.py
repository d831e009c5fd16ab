"""What is told of a stream before it is added."""

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from producers.camera.probe import _rate, probe_camera
from producers.camera.sources.source import SourceOptions
from tests.cameras import picture
from tests.videos import damage_packet, make_video
from tests.web_camera import BASIC, PASSWORD, USER, asks_for_basic, web_camera


def test_a_stream_is_told_with_its_picture(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=30, options={"x264-params": "keyint=10:scenecut=0"})
    found = probe_camera(str(path), SourceOptions(preset="archive"))
    assert (found.error, found.codec, found.width, found.height) == (None, "H.264", 320, 240)
    assert (found.stated_fps, found.measured_fps, found.key_frame_s) == (10, 10, 1)
    assert (found.pictures, found.damaged, found.hints, found.latency_s) == (30, 0, (), None)
    image = cv2.imdecode(np.frombuffer(base64.b64decode(found.picture or ""), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert np.abs(image.astype(int) - picture(0)).mean() < 4


def test_what_costs_readings_is_told_with_the_cure(tmp_path: Path) -> None:
    path = damage_packet(make_video(tmp_path / "a.mkv", frames=60), 25)
    damaged, keys = probe_camera(str(path), SourceOptions(preset="archive")).hints
    assert damaged.startswith("1 of 60 pictures were damaged")
    assert "set one every second or two in the camera" in keys


def test_single_pictures_are_looked_at_for_the_wanted_time() -> None:
    jpeg = cv2.imencode(".jpg", picture(0))[1].tobytes()

    def answer(_path: str, headers: object) -> tuple[int, dict[str, str], bytes]:
        return (401, BASIC, b"") if asks_for_basic(headers) else (200, {"Content-Type": "image/jpeg"}, jpeg)

    with web_camera(answer) as it:
        url = it.url.replace("//", f"//{USER}:{PASSWORD}@")
        found = probe_camera(url, SourceOptions(fps=50), look_s=0.1)
        wrong = probe_camera(url.replace(PASSWORD, "wr0ng"), SourceOptions(), look_s=0.1)
    assert (found.kind, found.codec, found.width, found.error) == ("single pictures", "JPEG", 320, None)
    assert found.pictures > 1
    assert found.picture
    assert PASSWORD not in found.model_dump_json()
    assert "user name or password is wrong (401)" in (wrong.error or "")
    assert "wr0ng" not in wrong.model_dump_json()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("rtsp://admin:s3cret@127.0.0.1:1/x", "nothing answers at this port"),
        ("/videos/missing.mp4", "No such file"),
        ("http://169.254.169.254/", "cannot be that of a camera"),
    ],
)
def test_what_does_not_work_is_told_in_the_answer(url: str, words: str) -> None:
    found = probe_camera(url, SourceOptions())
    assert words in (found.error or "")
    assert found.picture is None
    assert "s3cret" not in found.model_dump_json()


def test_a_first_picture_without_a_time_stamp_does_not_spoil_the_rate() -> None:
    """As FFmpeg gives the first one of RTSP: the clock of the stream and ours have nothing to do with each other."""
    assert _rate([(13_000.0, None), (13_000.1, 0.0), (13_000.3, 0.1), (13_000.3, 0.2)]) == 10
    assert _rate([(13_000.0, None), (13_000.5, None), (13_001.0, 7.0)]) == 2
    assert _rate([(1.0, 5.0)]) is None

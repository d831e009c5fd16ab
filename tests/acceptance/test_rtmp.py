"""Cameras that send RTMP to a relay, nginx, and are read from there; and those that send SRT, by the same way."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import pytest

from producers.camera.probe import probe_camera
from producers.camera.sources.source import SourceOptions
from sightline.video.words import explain
from tests.cameras import picture, wait_until
from tests.conftest import free_port
from tests.videos import make_video

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
CONFIGURATION = """
load_module {module};
daemon off; worker_processes 1; user {user}; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}
"""


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[str]:
    if NGINX is None or not MODULE.exists():
        missing = "nginx or its RTMP module is not installed (Debian: libnginx-mod-rtmp)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    port, folder = free_port(), tmp_path / "nginx"
    folder.mkdir()
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    text = CONFIGURATION.format(module=MODULE, user=user, folder=folder, port=port)
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"])
    wait_until(lambda: (folder / "nginx.pid").exists())
    yield f"rtmp://127.0.0.1:{port}/live/gate"
    process.terminate()
    process.wait(10)


def _push(url: str, on_air: threading.Event, stop: threading.Event) -> None:
    """A camera of 10 pictures a second, with a key frame each second."""
    with av.open(url, "w", format="flv") as container:
        options = {"preset": "ultrafast", "tune": "zerolatency"}
        stream: Any = container.add_stream("libx264", rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.time_base, stream.codec_context.gop_size = Fraction(1, 10), 10
        for index in range(600):
            if stop.wait(0.1):
                return
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="bgr24")))
            if index == 10:
                on_air.set()


def test_a_camera_plays_by_rtmp(relay: str) -> None:
    on_air, stop = threading.Event(), threading.Event()
    camera = threading.Thread(target=_push, args=(relay, on_air, stop))
    camera.start()
    try:
        assert on_air.wait(20)
        found = probe_camera(relay, SourceOptions(read_timeout_s=5))
    finally:
        stop.set()
        camera.join(10)
    assert (found.error, found.codec, found.width, found.height) == (None, "H.264", 320, 240)
    assert found.key_frame_s == pytest.approx(1, abs=0.1)
    assert found.pictures > 10
    assert found.picture


@pytest.fixture
def ffmpeg() -> Iterator[Callable[..., None]]:
    """Runs the program with these arguments; it is ended with the test."""
    if (program := shutil.which("ffmpeg")) is None or "  srt\n" not in _protocols(program):
        missing = "the program ffmpeg, with SRT, is not installed"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    running: list[subprocess.Popen[bytes]] = []
    yield lambda *arguments: running.append(
        subprocess.Popen([program, "-nostdin", "-loglevel", "error", *map(str, arguments)])
    )
    for process in running:
        process.kill()
        process.wait(10)


def test_a_camera_that_sends_srt_plays_by_way_of_rtmp(relay: str, ffmpeg: Callable[..., None], tmp_path: Path) -> None:
    """As the documentation has it: what reads SRT is the program, where PyAV's FFmpeg does not know it."""
    srt = f"srt://127.0.0.1:{free_port()}"
    clip = make_video(tmp_path / "a.mp4", frames=600, options={"g": "10"})
    ffmpeg("-re", "-i", clip, "-c", "copy", "-f", "mpegts", f"{srt}?mode=listener")
    time.sleep(1)
    ffmpeg("-i", srt, "-an", "-c:v", "copy", "-f", "flv", relay)
    wait_until(lambda: probe_camera(relay, SourceOptions(open_timeout_s=3, read_timeout_s=3), 0.5).error is None, 30)
    found = probe_camera(relay, SourceOptions(read_timeout_s=5), 2)
    assert (found.error, found.codec, found.width, found.height) == (None, "H.264", 320, 240)


def test_srt_is_refused_with_what_turns_it_into_something_else() -> None:
    found = probe_camera("srt://127.0.0.1:9", SourceOptions(open_timeout_s=2, read_timeout_s=2))
    assert found.error is not None
    words = explain(av.error.ProtocolNotFoundError(0, ""), "srt://127.0.0.1:9", was_open=False)
    assert "FFmpeg was built here without srt; let a relay such as MediaMTX" in words
    assert words in found.error or "without srt" not in found.error  # this FFmpeg has it


def _protocols(program: str) -> str:
    return subprocess.run([program, "-hide_banner", "-protocols"], capture_output=True, text=True, check=True).stdout

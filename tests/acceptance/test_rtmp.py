"""A camera that pushes RTMP to a relay, nginx, and is read from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from producers.camera.probe import probe_camera
from producers.camera.sources.source import SourceOptions
from tests.cameras import picture, wait_until
from tests.conftest import free_port

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
